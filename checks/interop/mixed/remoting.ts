// The official clients of the remoting protocol: a Java process, to which commands go as lines.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Outgoing, Participant, Seen } from './participants.js';

export interface RemotingParticipant extends Participant {
  sendBatch(messages: readonly Outgoing[]): Promise<unknown>;
}

interface RemotingClients {
  readonly nameServer: string;
  /** Folder of the Java clients. */
  readonly jars: string;
  readonly home: string;
}

interface Asked {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

export function remotingParticipant({ nameServer, jars, home }: RemotingClients): RemotingParticipant {
  const source = join(import.meta.dirname, 'Remoting.java');
  const args = ['-Xmx256m', `-Duser.home=${home}`, '-cp', join(jars, '*'), source, nameServer];
  const child = spawn('java', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const asked = new Map<number, Asked>();
  const listeners = new Map<string, (seen: Seen) => void>();
  const reports = new Set<(name: string) => void>();
  const failAll = (error: Error) => {
    for (const { reject } of asked.values()) reject(error);
    asked.clear();
  };
  child.once('error', failAll);
  child.once('close', (code) => failAll(new Error(`the Java program ended with ${code}`)));
  child.stdin.on('error', () => {});
  createInterface({ input: child.stdout }).on('line', (text) => {
    const { answers, result, error, seen, checked } = JSON.parse(text);
    if (checked !== undefined) for (const report of reports) report(checked);
    if (seen !== undefined) {
      const { group, ...rest } = seen;
      listeners.get(group)?.(rest);
    }
    if (answers === undefined) return;
    if (error === undefined) asked.get(answers)?.resolve(result);
    else asked.get(answers)?.reject(new Error(`Java: ${error}`));
    asked.delete(answers);
  });
  let count = 0;
  const ask = (command: object) => {
    const id = ++count;
    const answer = new Promise<unknown>((resolve, reject) => asked.set(id, { resolve, reject }));
    child.stdin.write(`${JSON.stringify({ id, ...command })}\n`);
    return answer;
  };
  return {
    name: 'java',
    send: (message) => ask({ do: 'send', message }),
    sendBatch: (messages) => ask({ do: 'sendBatch', messages }),
    begin: (message) => ask({ do: 'begin', message }),
    async consume({ topic, group, ordered, onSeen }) {
      listeners.set(group, onSeen);
      await ask({ do: 'consume', topic, group, ordered });
    },
    async answerChecks(topic, report) {
      reports.add(report);
      await ask({ do: 'answerChecks', topic });
    },
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}
