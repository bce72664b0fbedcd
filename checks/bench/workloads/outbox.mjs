// This library's outbox and schedule, a relay and a consumer, with an embedded broker in a process of its own between them.

import { createRequire } from 'node:module';
import { Connection, Producer, PushConsumer } from 'nestjs-rocketmq/client';
import { Outbox, OutboxRelay, poolDatabase, Schedule, schemaSql } from 'nestjs-rocketmq/sql';
import { startEmbeddedBroker } from '../../../tools/servers/embedded-broker-process.mjs';
import { runDatabaseWorkload } from './database-workloads.mjs';

const TOPIC = 'orders';
const CONCURRENCY = 64;

await runDatabaseWorkload({
  version: createRequire(import.meta.url)('nestjs-rocketmq/package.json').version,

  async open(_task, pool, handle) {
    await pool.query(schemaSql());
    const { endpoints, child } = await startEmbeddedBroker(['--port', '0']);
    process.once('exit', () => child.kill('SIGKILL'));
    const database = poolDatabase(pool);
    const [outbox, schedule] = [new Outbox(), new Schedule()];
    const producer = new Producer(new Connection({ endpoints }), {
      topics: { [TOPIC]: 'normal' },
      serverVersion: '5.5.0',
    });
    const consumer = new PushConsumer(new Connection({ endpoints }), {
      consumerGroup: 'orders',
      subscriptions: [{ topic: TOPIC }],
      concurrency: CONCURRENCY,
      handler: ({ body }) => handle(body.toString()),
    });
    const relay = new OutboxRelay({
      outbox,
      schedule,
      database,
      send: (message, options) => producer.send(message, options),
    });
    await producer.start();
    await consumer.start();
    return {
      add: (tx, body) => outbox.add(tx, { topic: TOPIC, body }),
      schedule: (bodies, dueAtMs) =>
        database.transaction(async (tx) => {
          for (const body of bodies) {
            await schedule.set(tx, {
              key: body.split(' ')[0] ?? '',
              deliverAt: new Date(dueAtMs),
              message: { topic: TOPIC, body },
            });
          }
        }),
      work: async () => relay.start(),
    };
  },
});
