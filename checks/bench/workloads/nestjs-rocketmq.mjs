// This library's client. `options` of the column go to the classes as they are: { connection, producer, consumer }; `telemetry` is
// that of telemetry.mjs.

import { createRequire } from 'node:module';
import { Connection, Producer, PushConsumer } from 'nestjs-rocketmq/client';
import { runWorkload } from './client-workloads.mjs';

const clientOptions = async (/** @type {import('../columns.ts').ColumnOptions} */ { telemetry }) => {
  if (telemetry === undefined) return {};
  const { telemetryOf } = await import('./telemetry.mjs');
  return { telemetry: await telemetryOf(telemetry) };
};

/** @param {import('./measuring.mjs').Task} task */
const connectionOf = ({ endpoints, options }) => new Connection({ endpoints, ...options.connection });

await runWorkload({
  version: createRequire(import.meta.url)('nestjs-rocketmq/package.json').version,

  async producer(task) {
    const { topic, delayMs } = task;
    const producer = new Producer(connectionOf(task), {
      topics: { [topic]: delayMs === undefined ? 'normal' : 'delay' },
      ...task.options.producer,
      ...(await clientOptions(task.options)),
    });
    await producer.start();
    return (body) => producer.send({ topic, body, delayMs });
  },

  async consumer(task, handle) {
    const consumer = new PushConsumer(connectionOf(task), {
      consumerGroup: task.group,
      subscriptions: [{ topic: task.topic }],
      handler: ({ body }) => handle(body),
      ...(task.concurrency === undefined ? {} : { concurrency: task.concurrency }),
      ...task.options.consumer,
      ...(await clientOptions(task.options)),
    });
    await consumer.start();
  },
});
