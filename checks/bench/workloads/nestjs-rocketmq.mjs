// This library's client. `options` of the column go to the classes as they are: { connection, producer, consumer }; `telemetry` is
// that of telemetry.mjs.

import { createRequire } from 'node:module';
import { Connection, Producer, PushConsumer } from 'nestjs-rocketmq/client';
import { runWorkload } from './client-workloads.mjs';

const clientOptions = async (/** @type {import('../columns.ts').ColumnOptions} */ { telemetry }) => {
  if (telemetry === undefined || telemetry === 'by-hand') return {};
  const { telemetryOf } = await import('./telemetry.mjs');
  return { telemetry: await telemetryOf(telemetry) };
};

/** @param {import('./measuring.mjs').Task} task */
const spansOf = async ({ options, topic, group }) => {
  if (options.telemetry !== 'by-hand') return undefined;
  const { spansByHand } = await import('./telemetry.mjs');
  return spansByHand(topic, group);
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
    const spans = await spansOf(task);
    if (spans === undefined) return (body) => producer.send({ topic, body, delayMs });
    return (body) => spans.around((properties) => producer.send({ topic, body, delayMs, properties }));
  },

  async consumer(task, handle) {
    const spans = await spansOf(task);
    const consumer = new PushConsumer(connectionOf(task), {
      consumerGroup: task.group,
      subscriptions: [{ topic: task.topic }],
      handler: ({ body, properties }) =>
        spans === undefined ? handle(body) : spans.within(properties, () => handle(body)),
      ...(task.concurrency === undefined ? {} : { concurrency: task.concurrency }),
      ...task.options.consumer,
      ...(await clientOptions(task.options)),
    });
    await consumer.start();
  },
});
