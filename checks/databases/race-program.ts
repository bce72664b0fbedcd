// A process of the race: local transactions at once, with pauses at each statement, of which some are longer than a check waits. At some
// statement it may kill itself, as if by SIGKILL. It prints `begun ORDER`, `repeated ORDER` for each
// further run of its database transaction, and `returned ORDER` when the method has returned.

import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, Producer } from 'nestjs-rocketmq/client';
import { retryTransaction, type SqlDatabase, type SqlExecutor, TransactionLog } from 'nestjs-rocketmq/sql';
import { seededRandom } from '../../tools/random.js';
import { openDatabase } from '../../tools/servers/sql-databases.js';
import { ITEMS, LOCAL_TRANSACTION_TIMEOUT_MS, RACE_ORDERS, type RaceJob } from './race-job.js';

const AT_ONCE = 16;
/** Of each point between two statements. */
const KILLED = 0.001;
const LONG = 0.01;
const SHORT = 0.3;
const LONG_MS = 3_000;
const SHORT_MS = 5;
const ROLLED_BACK = 0.1;
/** Of the orders: these take two items, for which they compete. */
const CONTENDED = 0.9;

const job = JSON.parse(process.argv[2] ?? '') as RaceJob;
const random = seededRandom(job.seed);
const { port, close } = await openDatabase(job.place);
const connection = new Connection({ endpoints: job.endpoints });

async function point(): Promise<void> {
  const drawn = random();
  if (drawn < KILLED) process.kill(process.pid, 'SIGKILL');
  else if (drawn < KILLED + LONG) await sleep(random() * LONG_MS);
  else if (drawn < KILLED + LONG + SHORT) await sleep(random() * SHORT_MS);
}

/** The database, with a point before and after each statement. */
const pausing: SqlDatabase = {
  dialect: port.dialect ?? 'postgresql',
  transaction: async (work) => {
    await point();
    const result = await port.transaction(async (tx) => work(pausingExecutor(tx)));
    await point();
    return result;
  },
};

function pausingExecutor(tx: SqlExecutor): SqlExecutor {
  let earlier: Promise<unknown> = Promise.resolve();
  return {
    dialect: port.dialect ?? 'postgresql',
    // A connection runs its statements in the order in which it got them, whatever the pauses.
    query: (text, parameters) => {
      const run = earlier.then(async () => {
        await point();
        const result = await tx.query(text, parameters);
        await point();
        return result;
      });
      earlier = run.catch(() => undefined);
      return run;
    },
  };
}

const log = new TransactionLog({ database: pausing, lockTimeoutMs: 1_000 });
const producer = new Producer(connection, {
  transactionCheckers: { [RACE_ORDERS]: (check) => log.check(check) },
  localTransactionTimeoutMs: LOCAL_TRANSACTION_TIMEOUT_MS,
});
await producer.start();

async function place(order: string): Promise<void> {
  process.stdout.write(`begun ${order}\n`);
  const isRolledBack = random() < ROLLED_BACK;
  const items = random() < CONTENDED ? [0, 1].map(() => Math.floor(random() * ITEMS)) : [];
  let runs = 0;
  await producer.transact({ message: { topic: RACE_ORDERS, body: order } }, () =>
    retryTransaction(() => {
      if (runs++ > 0) process.stdout.write(`repeated ${order}\n`);
      return pausing.transaction(async (tx) => {
        await tx.query(`INSERT INTO orders VALUES ('${order}')`, []);
        // In no order, so that two of them may wait for each other.
        for (const item of items) await tx.query(`UPDATE stock SET taken = taken + 1 WHERE item = ${item}`, []);
        await log.record(tx);
        if (isRolledBack) throw new Error('out of stock');
      });
    }),
  );
  process.stdout.write(`returned ${order}\n`);
}

let next = 0;
async function placeAll(): Promise<void> {
  // What went wrong is what the race is about; who is right is seen in the end.
  while (next < job.transactions) await place(`${job.name}-${next++}`).catch(() => {});
}

await Promise.all(Array.from({ length: AT_ONCE }, placeAll));
await producer.close();
connection.close();
await close();
