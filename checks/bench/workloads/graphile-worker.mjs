// graphile-worker, which listens to the database.

import { createRequire } from 'node:module';
import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import { runDatabaseWorkload } from './database-workloads.mjs';

const TASK = 'orders';
const CONCURRENCY = 64;
const logger = new Logger(() => () => {});

await runDatabaseWorkload({
  version: createRequire(import.meta.url)('../node_modules/graphile-worker/package.json').version,

  async open(_task, pool, handle) {
    const utils = await makeWorkerUtils({ pgPool: pool, logger });
    await utils.migrate();
    return {
      add: (tx, body) =>
        tx.query('SELECT graphile_worker.add_job($1, payload := $2::json)', [TASK, JSON.stringify({ body })]),
      schedule: (bodies, dueAtMs) =>
        utils.addJobs(bodies.map((body) => ({ identifier: TASK, payload: { body }, runAt: new Date(dueAtMs) }))),
      work: () =>
        run({
          pgPool: pool,
          logger,
          concurrency: CONCURRENCY,
          noHandleSignals: true,
          taskList: {
            [TASK]: async (payload) => handle(/** @type {{ body: string }} */ (payload).body),
          },
        }),
    };
  },
});
