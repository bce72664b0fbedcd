// The package rocketmq-client-nodejs, with its defaults.

import { createRequire } from 'node:module';
import { ConsumeResult, Producer, PushConsumer } from 'rocketmq-client-nodejs';
import { runWorkload } from './client-workloads.mjs';

/** Without one it writes a log file into the home; that would be measured, too. */
const SILENT = { debug() {}, info() {}, warn() {}, error() {}, close() {} };
const clientOptions = (/** @type {{ endpoints: string }} */ { endpoints }) => ({
  endpoints,
  namespace: '',
  logger: SILENT,
});

await runWorkload({
  version: createRequire(import.meta.url)('rocketmq-client-nodejs/package.json').version,

  async producer(task) {
    const { topic } = task;
    const producer = new Producer({ ...clientOptions(task), topics: [topic] });
    await producer.startup();
    return (body) => producer.send({ topic, body });
  },

  async consumer(task, handle) {
    const consumer = new PushConsumer({
      ...clientOptions(task),
      consumerGroup: task.group,
      subscriptions: new Map([[task.topic, '*']]),
      messageListener: {
        consume: async ({ body }) => {
          handle(body);
          return ConsumeResult.SUCCESS;
        },
      },
    });
    await consumer.startup();
  },
});
