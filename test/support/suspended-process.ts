// A process with consumers, for a test that suspends it: `ENDPOINTS LEASE_MS REQUEST_MS TOPIC ...`, each with a
// group of its name. It writes a line for each thing that happens.

import { setTimeout as sleep } from 'node:timers/promises';
import {
  type BatchHandler,
  Connection,
  type MessageHandler,
  PushConsumer,
  type PushConsumerOptions,
  SimpleConsumer,
} from 'nestjs-rocketmq/client';

/** The only lite topic. */
const LITE_TOPIC = 'one';

const [endpoints = '', lease = '', request = '', ...names] = process.argv.slice(2);
const invisibleDurationMs = Number(lease);
/** Over before the first lease is: the polls of a suspended process take what is redelivered, too. */
const LONG_POLL_MS = 20_000;
/** No older than this when the process is suspended: a poll must still be open when its message is sent. */
const FRESH_MS = 10_000;
const connection = new Connection({ endpoints, requestTimeoutMs: Number(request) });
const say = (line: string): void => void process.stdout.write(`${line}\n`);

type Receiving = Pick<PushConsumerOptions, 'subscriptions' | 'handler' | 'listeners' | 'liteTopics'>;

async function push(consumerGroup: string, receiving: Receiving): Promise<PushConsumer> {
  const consumer = new PushConsumer(connection, {
    consumerGroup,
    invisibleDurationMs,
    longPollingTimeoutMs: LONG_POLL_MS,
    deadLetterTo: async () => {},
    events: { onLeaseLost: ({ topic }) => say(`lost ${topic}`) },
    ...receiving,
  });
  await consumer.start();
  return consumer;
}

const hasFreshPoll = ({ health }: PushConsumer): boolean =>
  health.topics.every(({ pollingSinceMs = 0 }) => Date.now() - pollingSinceMs < FRESH_MS);

const note: MessageHandler = ({ topic, deliveryAttempt }) => say(`handled ${topic} ${deliveryAttempt}`);
const batchNote: BatchHandler = (messages) => {
  for (const { topic, deliveryAttempt } of messages) say(`handled ${topic} ${deliveryAttempt}`);
};

const [ordinary = '', ordered = '', received = '', batched = '', lite = ''] = names;
const simple = new SimpleConsumer(connection, { consumerGroup: received, subscriptions: [{ topic: received }] });
const listeners = [{ name: 'batch', topic: batched, batch: { handler: batchNote, maxSize: 8, maxWaitMs: 100 } }];
const [, ...pushing] = await Promise.all([
  simple.start(),
  ...[ordinary, ordered].map((topic) => push(topic, { subscriptions: [{ topic }], handler: note })),
  push(batched, { listeners }),
  ...(lite === '' ? [] : [push(lite, { subscriptions: [{ topic: lite }], handler: note, liteTopics: [LITE_TOPIC] })]),
]);
while (!pushing.every(hasFreshPoll)) await sleep(20);
void simple.receive({ invisibleDurationMs, longPollingTimeoutMs: LONG_POLL_MS }).then(
  (messages) => say(`received ${received} ${messages.length}`),
  // Its time was over before the answer was read.
  () => say(`received ${received} 0`),
);
// Polls that have begun are on their way.
await sleep(3_000);
say('polling');
