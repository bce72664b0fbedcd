// A process with consumers, for a test that suspends it: `ENDPOINTS LEASE_MS TOPIC ...`, each with a
// group of its name. It writes a line for each thing that happens.

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

const [endpoints = '', lease = '', ...names] = process.argv.slice(2);
const invisibleDurationMs = Number(lease);
/** Over before the first lease is: the polls of a suspended process take what is redelivered, too. */
const LONG_POLL_MS = 12_000;
const connection = new Connection({ endpoints });
const say = (line: string): void => void process.stdout.write(`${line}\n`);

type Receiving = Pick<PushConsumerOptions, 'subscriptions' | 'handler' | 'listeners' | 'liteTopics'>;

async function push(consumerGroup: string, receiving: Receiving): Promise<void> {
  const consumer = new PushConsumer(connection, {
    consumerGroup,
    invisibleDurationMs,
    longPollingTimeoutMs: LONG_POLL_MS,
    deadLetterTo: async () => {},
    events: { onLeaseLost: ({ topic }) => say(`lost ${topic}`) },
    ...receiving,
  });
  await consumer.start();
  const isPolling = (): boolean => consumer.health.topics.every(({ pollingSinceMs }) => pollingSinceMs !== undefined);
  while (!isPolling()) await new Promise((resolve) => setTimeout(resolve, 20));
}

const note: MessageHandler = ({ topic, deliveryAttempt }) => say(`handled ${topic} ${deliveryAttempt}`);
const batchNote: BatchHandler = (messages) => {
  for (const { topic, deliveryAttempt } of messages) say(`handled ${topic} ${deliveryAttempt}`);
};

async function simple(topic: string, consumerGroup: string): Promise<void> {
  const consumer = new SimpleConsumer(connection, { consumerGroup, subscriptions: [{ topic }] });
  await consumer.start();
  void consumer
    .receive({ invisibleDurationMs, longPollingTimeoutMs: LONG_POLL_MS })
    .then((messages) => say(`received ${topic} ${messages.length}`));
}

const [ordinary = '', ordered = '', received = '', batched = '', lite = ''] = names;
for (const topic of [ordinary, ordered]) await push(topic, { subscriptions: [{ topic }], handler: note });
await push(batched, {
  listeners: [{ name: 'batch', topic: batched, batch: { handler: batchNote, maxSize: 8, maxWaitMs: 100 } }],
});
if (lite !== '') await push(lite, { subscriptions: [{ topic: lite }], handler: note, liteTopics: [LITE_TOPIC] });
await simple(received, received);
// A poll that has begun is on its way.
setTimeout(() => say('polling'), 3_000);
