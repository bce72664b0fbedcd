// pg-boss, which polls: two times a second, and at once after a full batch.

import { createRequire } from 'node:module';
import { PgBoss } from 'pg-boss';
import { runDatabaseWorkload } from './database-workloads.mjs';

const QUEUE = 'orders';
/** As many as a relay claims at once. */
const BATCH = 64;

await runDatabaseWorkload({
  version: createRequire(import.meta.url)('pg-boss/package.json').version,

  async open({ endpoints }, _pool, handle) {
    const boss = new PgBoss(endpoints);
    await boss.start();
    await boss.createQueue(QUEUE);
    return {
      add: (tx, body) =>
        boss.send(
          QUEUE,
          { body },
          {
            db: { executeSql: (/** @type {string} */ text, /** @type {unknown[]} */ values) => tx.query(text, values) },
          },
        ),
      schedule: (bodies, dueAtMs) =>
        boss.insert(
          QUEUE,
          bodies.map((body) => ({ data: { body }, startAfter: new Date(dueAtMs) })),
        ),
      work: () =>
        boss.work(
          QUEUE,
          { batchSize: BATCH, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true },
          async (/** @type {{ data: { body: string } }[]} */ jobs) => {
            for (const { data } of jobs) handle(data.body);
          },
        ),
    };
  },
});
