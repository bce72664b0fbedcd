// A process with consumers, for a test that suspends it: `ENDPOINTS LEASE_MS TOPIC:GROUP ...`. It writes a line for each thing that happens.

import { Connection, PushConsumer, SimpleConsumer } from 'nestjs-rocketmq/client';

const [endpoints = '', lease = '', ...pairs] = process.argv.slice(2);
const invisibleDurationMs = Number(lease);
/** Over before the first lease is: the polls of a suspended process take what is redelivered, too. */
const LONG_POLL_MS = 12_000;
const connection = new Connection({ endpoints });
const say = (line: string): void => void process.stdout.write(`${line}\n`);

async function push(subscriptionTopic: string, consumerGroup: string): Promise<void> {
  const consumer = new PushConsumer(connection, {
    consumerGroup,
    subscriptions: [{ topic: subscriptionTopic }],
    invisibleDurationMs,
    longPollingTimeoutMs: LONG_POLL_MS,
    events: { onLeaseLost: ({ topic }) => say(`lost ${topic}`) },
    handler: ({ topic, deliveryAttempt }) => say(`handled ${topic} ${deliveryAttempt}`),
  });
  await consumer.start();
  const isPolling = (): boolean => consumer.health.topics.every(({ pollingSinceMs }) => pollingSinceMs !== undefined);
  while (!isPolling()) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function simple(topic: string, consumerGroup: string): Promise<void> {
  const consumer = new SimpleConsumer(connection, { consumerGroup, subscriptions: [{ topic }] });
  await consumer.start();
  void consumer
    .receive({ invisibleDurationMs, longPollingTimeoutMs: LONG_POLL_MS })
    .then((messages) => say(`received ${topic} ${messages.length}`));
}

const [ordinary = '', ordered = '', received = ''] = pairs;
for (const pair of [ordinary, ordered]) await push(...(pair.split(':') as [string, string]));
await simple(...(received.split(':') as [string, string]));
// A poll that has begun is on its way.
setTimeout(() => say('polling'), 3_000);
