// The official clients of the remoting protocol: a Java process, to which commands go as lines.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/**
 * @typedef {import('./participants.mjs').Participant} Participant
 * @typedef {import('./participants.mjs').Seen} Seen
 */

/**
 * @param {{ nameServer: string, jars: string, home: string }} options
 * @returns {Participant & { sendBatch: (messages: readonly import('./participants.mjs').Outgoing[]) => Promise<void> }}
 */
export function remotingParticipant({ nameServer, jars, home }) {
  const source = join(import.meta.dirname, 'Remoting.java');
  const args = ['-Xmx256m', `-Duser.home=${home}`, '-cp', join(jars, '*'), source, nameServer];
  const child = spawn('java', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  /** @type {Map<number, { resolve: (result: any) => void, reject: (error: Error) => void }>} */
  const asked = new Map();
  /** @type {Map<string, (seen: Seen) => void>} */
  const listeners = new Map();
  /** @type {Set<(name: string) => void>} */
  const reports = new Set();
  const failAll = (/** @type {Error} */ error) => {
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
  const ask = (/** @type {object} */ command) => {
    const id = ++count;
    /** @type {Promise<any>} */
    const answer = new Promise((resolve, reject) => asked.set(id, { resolve, reject }));
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
