// A process that is suspended while a server answers its polls, and continues when others have handled the messages.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, Producer, PushConsumer, SECOND_MS } from 'nestjs-rocketmq/client';
import { TYPESCRIPT_ARGS } from '../../tools/typescript/typescript-args.mjs';
import { soon } from '../../tools/until.js';

/** Longer than any poll lasts on a server. */
const LEASE_MS = 25 * SECOND_MS;
const PATIENCE_MS = 90 * SECOND_MS;
/** How long a busy server may take for a request. */
const REQUEST_MS = 15 * SECOND_MS;
/** The time limit of a test that plays it. */
export const SUSPENSION_MS = 360 * SECOND_MS;
const PROGRAM = join(import.meta.dirname, 'suspended-process.ts');

/** Topics and their consumer groups, of the same names. */
export interface SuspensionNames {
  readonly ordinary: string;
  /** A topic of type `fifo`, and an ordered group. */
  readonly ordered: string;
  /** For a simple consumer. */
  readonly received: string;
  /** For a batch listener. */
  readonly batched: string;
  /** A topic of type `lite`, and a group for its lite topics; undefined where the server has none. */
  readonly lite?: string;
}

/** The only lite topic. */
const LITE_TOPIC = 'one';

/** What the suspended process saw, and what those saw that handled its messages meanwhile. Both sorted. */
export async function playSuspension(
  endpoints: string,
  names: SuspensionNames,
): Promise<{ suspended: string[]; others: string[] }> {
  const { ordinary, ordered, received, batched, lite } = names;
  const topics = [ordinary, ordered, received, batched, ...(lite === undefined ? [] : [lite])];
  const child = spawn(
    process.execPath,
    [...TYPESCRIPT_ARGS, PROGRAM, endpoints, String(LEASE_MS), String(REQUEST_MS), ...topics],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const exited = once(child, 'exit');
  const suspended = linesOf(child);
  const others: string[] = [];
  const connection = new Connection({ endpoints, requestTimeoutMs: REQUEST_MS });
  const producer = new Producer(connection, {});
  const consumers = topics.map(
    (topic) =>
      new PushConsumer(connection, {
        consumerGroup: topic,
        subscriptions: [{ topic }],
        liteTopics: topic === lite ? [LITE_TOPIC] : undefined,
        deadLetterTo: async () => {},
        handler: ({ deliveryAttempt }) => void others.push(`handled ${topic} ${deliveryAttempt}`),
      }),
  );
  try {
    await producer.start();
    await soon(() => {
      if (child.exitCode !== null)
        throw new Error(`the process to suspend ended with code ${child.exitCode}: see what it printed`);
      return suspended.includes('polling');
    }, PATIENCE_MS);
    child.kill('SIGSTOP');
    for (const topic of topics) {
      const place = topic === ordered ? { messageGroup: 'one' } : topic === lite ? { liteTopic: LITE_TOPIC } : {};
      await producer.send({ topic, body: 'for a process that stands still', ...place });
    }
    // Only the suspended process has polls open: the server answers them long before the end of the leases.
    await sleep(LEASE_MS);
    for (const consumer of consumers) await consumer.start();
    await soon(() => others.length === topics.length, PATIENCE_MS);
    child.kill('SIGCONT');
    // What did not come is seen where this is compared.
    await soon(() => afterSuspension(names).suspended.every((line) => suspended.includes(line)), PATIENCE_MS).catch(
      () => {},
    );
  } finally {
    child.kill('SIGKILL');
    await exited;
    for (const consumer of consumers) await consumer.close();
    await producer.close();
    connection.close();
  }
  return { suspended: suspended.sort(), others: others.sort() };
}

/** What a suspension must come to. */
export function afterSuspension({ ordinary, ordered, received, batched, lite }: SuspensionNames) {
  const pushed = [ordinary, ordered, batched, ...(lite === undefined ? [] : [lite])];
  const suspended = [...pushed.map((topic) => `lost ${topic}`), 'polling', `received ${received} 0`];
  const others = [...pushed, received].map((topic) => `handled ${topic} 2`);
  return { suspended: suspended.sort(), others: others.sort() };
}

function linesOf({ stdout }: ChildProcess): string[] {
  const lines: string[] = [];
  let rest = '';
  stdout?.setEncoding('utf8').on('data', (piece: string) => {
    const parts = (rest + piece).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
  });
  return lines;
}
