// A process of the check: producers that send to message groups and without one, or consumers of both groups.
// Its one argument is a MemberOptions as JSON. Reports on its IPC channel when it is ready, and ends in good order on SIGTERM.

import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, type MessageView, Producer, PushConsumer, RocketMQError } from 'nestjs-rocketmq/client';
import { below, seededRandom } from '../../tools/random.js';
import { FactFile, factsOf, type GroupKind, nowMs } from './facts.js';
import { GROUPS, LEASE_MS, type MemberOptions, REQUEST_TIMEOUT_MS, TOPICS } from './member-options.js';

const SEND_MS = 10_000;
const START_MS = 40_000;
const MESSAGE_GROUPS = 5;
const PLAIN_LOOPS = 4;
const PAUSE_MS = 300;
const MAX_WORK_MS = 12;
/** One handler in this many fails. */
const FAILS_ONE_OF = 40;

const options = JSON.parse(process.argv[2] ?? '{}') as MemberOptions;
const { name, folder, endpoints, seed } = options;
const earlier = factsOf(folder, name);
const by = `${name}.${options.start}`;
const facts = new FactFile(folder, name);
const chance = seededRandom(seed + options.start * 7_919);
const ending = new AbortController();
process.once('SIGTERM', () => ending.abort());
// Ctrl-C is for the run.
process.on('SIGINT', () => {});

const connection = new Connection({ endpoints, requestTimeoutMs: REQUEST_TIMEOUT_MS });
await (options.role === 'producer' ? produce() : consume());
connection.close();
facts.close();
process.disconnect?.();

async function produce(): Promise<void> {
  const producer = new Producer(connection, { topics: { [TOPICS.ordered]: 'fifo', [TOPICS.plain]: 'normal' } });
  await producer.start({ timeoutMs: START_MS });
  process.send?.('ready');
  const ordered = Array.from({ length: MESSAGE_GROUPS }, (_, index) => inOrder(producer, `${name}-${index}`));
  const plain = Array.from({ length: PLAIN_LOOPS }, (_, index) => unordered(producer, `${name}-u${index}`));
  await Promise.all([...ordered, ...plain]);
  await producer.close();
}

/** Like an outbox: what may not be stored is sent again before the next one. */
async function inOrder(producer: Producer, group: string): Promise<void> {
  let number = nextOf(group);
  while (!ending.signal.aborted) {
    const stored = await send(producer, TOPICS.ordered, `${group}.${number}`, group);
    if (stored) number++;
    await pause();
  }
}

/** The number after the last one that is known to be stored. */
function nextOf(group: string): number {
  let next = 1;
  for (const fact of earlier) {
    if (fact.kind !== 'reported' || fact.outcome !== 'stored' || !fact.id.startsWith(`${group}.`)) continue;
    next = Number(fact.id.slice(group.length + 1)) + 1;
  }
  return next;
}

async function unordered(producer: Producer, loop: string): Promise<void> {
  for (let number = 1; !ending.signal.aborted; number++) {
    await send(producer, TOPICS.plain, `${loop}.${options.start}.${number}`);
    await pause();
  }
}

async function send(producer: Producer, topic: string, id: string, group?: string): Promise<boolean> {
  const inGroup = group === undefined ? {} : { group };
  facts.add({ kind: 'began', id, ...inGroup, by, atMs: nowMs() });
  const message = group === undefined ? { topic, body: id } : { topic, body: id, messageGroup: group };
  try {
    await producer.send(message, { timeoutMs: SEND_MS });
    facts.add({ kind: 'reported', id, outcome: 'stored', by, atMs: nowMs() });
    return true;
  } catch (error) {
    const known = RocketMQError.is(error)
      ? { outcome: error.outcome, code: error.code }
      : { outcome: 'unknown' as const };
    facts.add({ kind: 'reported', id, ...known, by, atMs: nowMs() });
    return false;
  }
}

async function pause(): Promise<void> {
  await sleep(below(chance, PAUSE_MS), undefined, { signal: ending.signal }).catch(() => {});
}

async function consume(): Promise<void> {
  const consumers = (['ordered', 'plain'] as const).map(consumerOf);
  await Promise.all(consumers.map((consumer) => consumer.start({ timeoutMs: START_MS })));
  process.send?.('ready');
  await new Promise<void>((resolve) => {
    if (ending.signal.aborted) resolve();
    ending.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await Promise.all(consumers.map((consumer) => consumer.close({ shutdownGraceMs: 5_000 })));
}

function consumerOf(of: GroupKind): PushConsumer {
  const doubted = (message: MessageView) => facts.add({ kind: 'doubted', id: idOf(message), of, by, atMs: nowMs() });
  return new PushConsumer(connection, {
    consumerGroup: GROUPS[of],
    subscriptions: [{ topic: TOPICS[of] }],
    requireFifo: of === 'ordered',
    concurrency: 16,
    invisibleDurationMs: LEASE_MS,
    handler: async (message) => {
      const id = idOf(message);
      const { queueId, queueOffset, storeTimestampMs, messageId, deliveryAttempt: attempt } = message;
      const place = `${queueId}/${queueOffset}/${storeTimestampMs}`;
      facts.add({ kind: 'begun', id, of, ...originOf(message), place, messageId, attempt, by, atMs: nowMs() });
      await sleep(below(chance, MAX_WORK_MS));
      const fails = below(chance, FAILS_ONE_OF) === 0;
      facts.add({ kind: fails ? 'failed' : 'handled', id, of, by, atMs: nowMs() });
      if (fails) throw new Error('this one fails, as one in some does');
    },
    events: {
      onLeaseLost: doubted,
      onSettleFailed: (message, settlement) => {
        if (settlement.kind === 'ack') doubted(message);
      },
    },
  });
}

/** What the receipt handle says: its fields are separated by blanks. */
function originOf({ receiptHandle }: MessageView): { readonly broker: string; readonly isRetry: boolean } {
  const [, , , , from = '', broker = ''] = receiptHandle.split(' ');
  return { broker, isRetry: from !== '0' };
}

function idOf(message: MessageView): string {
  return message.body.toString();
}
