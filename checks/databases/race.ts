// The race: processes with local transactions that pause and are killed anywhere, checks from other processes meanwhile, and afterwards a
// comparison of each order in the database with its message.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { EmbeddedBroker } from 'nestjs-rocketmq/broker';
import { Connection, Producer, PushConsumer } from 'nestjs-rocketmq/client';
import { TransactionLog } from 'nestjs-rocketmq/sql';
import { column, type OpenDatabase, openDatabase } from '../../tools/servers/sql-databases.js';
import type { Server } from '../../tools/servers/sql-servers.js';
import { agreementViolations } from '../../tools/transaction-agreement.js';
import { TYPESCRIPT_ARGS } from '../../tools/typescript/typescript-args.js';
import { ITEMS, LOCAL_TRANSACTION_TIMEOUT_MS, RACE_ORDERS, type RaceJob } from './race-job.js';

const PROCESSES = 3;
/** The most transactions of one process; it may be killed before. */
const OF_A_PROCESS = 500;
/** How long all half messages may take to be decided after the last transaction. */
const DECIDED_MS = 60_000;
const POLL_MS = 200;

interface RaceOptions {
  readonly server: Server;
  /** A setting of {@link Server.isolation}. */
  readonly isolation: string;
  readonly seed: number;
  /** At least so many begin. */
  readonly transactions: number;
  /** Aborts the race, which ends what it has started before it rejects. */
  readonly signal: AbortSignal;
}

interface RaceResult {
  readonly violations: readonly string[];
  readonly begun: number;
  readonly committed: number;
  /** Runs of a database transaction after a conflict. */
  readonly repeated: number;
  readonly kills: number;
  /** The checks that were answered while a race was on: a race without any proves nothing. */
  readonly answers: Readonly<Record<string, number>>;
}

/** Runs it on a server of its own. */
export async function race({ server, isolation, seed, transactions, signal }: RaceOptions): Promise<RaceResult> {
  const ends: (() => unknown)[] = [];
  try {
    const { place, stop } = await server.start(isolation);
    ends.push(stop);
    const database = await openDatabase(place);
    ends.push(() => database.close());
    await database.port.transaction(async (tx) => {
      await tx.query('CREATE TABLE stock (item integer PRIMARY KEY, taken integer NOT NULL)', []);
      for (let item = 0; item < ITEMS; item++) await tx.query(`INSERT INTO stock VALUES (${item}, 0)`, []);
    });
    const broker = await startBroker();
    ends.push(() => broker.stop());
    const delivered: string[] = [];
    const answers: Record<string, number> = {};
    ends.push(await watch(broker.endpoints, database, { delivered, answers }));
    const { begun, returned, repeated, kills } = await runAll({
      endpoints: broker.endpoints,
      place,
      seed,
      transactions,
      signal,
    });
    await decided(broker, signal);
    const inDatabase = await column(database.port, 'SELECT id FROM orders');
    await until(() => delivered.length >= inDatabase.length, signal);
    const violations = agreementViolations({ begun, returned, inDatabase, delivered, undecided: [] });
    return { violations, begun: begun.length, committed: inDatabase.length, repeated, kills, answers };
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

/** It checks early and often. */
async function startBroker(): Promise<EmbeddedBroker> {
  const broker = new EmbeddedBroker({
    topics: [{ name: RACE_ORDERS, type: 'transaction' }],
    transactionFirstCheckMs: 200,
    transactionCheckIntervalMs: 500,
    transactionCheckMax: 1_000_000,
  });
  await broker.start();
  return broker;
}

interface Seen {
  readonly delivered: string[];
  readonly answers: Record<string, number>;
}

/** An instance that is never killed: it answers checks and consumes. @returns ends it */
async function watch(endpoints: string, { port }: OpenDatabase, seen: Seen): Promise<() => Promise<void>> {
  const connection = new Connection({ endpoints });
  const log = new TransactionLog({ database: port, lockTimeoutMs: 1_000 });
  const producer = new Producer(connection, {
    transactionCheckers: {
      [RACE_ORDERS]: async (check) => {
        const answer = await log.check(check);
        seen.answers[answer] = (seen.answers[answer] ?? 0) + 1;
        return answer;
      },
    },
    localTransactionTimeoutMs: LOCAL_TRANSACTION_TIMEOUT_MS,
  });
  const consumer = new PushConsumer(connection, {
    consumerGroup: 'race',
    subscriptions: [{ topic: RACE_ORDERS }],
    handler: ({ body }) => void seen.delivered.push(body.toString()),
  });
  await Promise.all([producer.start(), consumer.start()]);
  return async () => {
    await producer.close();
    await consumer.close();
    connection.close();
  };
}

type Runs = Omit<RaceJob, 'name'> & { readonly signal: AbortSignal };

/** Processes one after another in each lane, until enough transactions have begun. */
async function runAll({ endpoints, place, seed, transactions, signal }: Runs) {
  const begun: string[] = [];
  const returned: string[] = [];
  let repeated = 0;
  let kills = 0;
  let processes = 0;
  const lane = async (): Promise<void> => {
    while (begun.length < transactions) {
      signal.throwIfAborted();
      const count = Math.min(OF_A_PROCESS, transactions - begun.length);
      const job: RaceJob = { endpoints, place, name: `p${processes}`, seed: seed + processes++, transactions: count };
      const onLine = (line: string): void => {
        const [event, order = ''] = line.split(' ');
        if (event === 'repeated') repeated++;
        else (event === 'begun' ? begun : returned).push(order);
      };
      if (await isKilled(job, onLine, signal)) kills++;
    }
  };
  await Promise.all(Array.from({ length: PROCESSES }, lane));
  return { begun, returned, repeated, kills };
}

/** Runs a process. @returns whether it has killed itself. @throws Error when it ended in another way */
async function isKilled(job: RaceJob, onLine: (line: string) => void, stop: AbortSignal): Promise<boolean> {
  const program = join(process.cwd(), 'checks/databases/race-program.ts');
  const args = [...TYPESCRIPT_ARGS, program, JSON.stringify(job)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], signal: stop });
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  createInterface({ input: child.stdout }).on('line', onLine);
  const [code, signal] = await once(child, 'close');
  if (signal === 'SIGKILL') return true;
  if (code === 0) return false;
  throw new Error(`a process of the race ended with ${signal ?? code}:\n${errors}`);
}

/** Waits until the server knows of each transaction how it ended. */
async function decided(broker: EmbeddedBroker, signal: AbortSignal): Promise<void> {
  if (await until(async () => (await broker.control.halfMessages()).items.length === 0, signal)) return;
  const { items } = await broker.control.halfMessages();
  throw new Error(`${items.length} half messages are undecided after ${DECIDED_MS / 1_000} s`);
}

async function until(isDone: () => boolean | Promise<boolean>, signal: AbortSignal): Promise<boolean> {
  const lastTryAtMs = performance.now() + DECIDED_MS;
  while (!(await isDone())) {
    if (performance.now() > lastTryAtMs) return false;
    await sleep(POLL_MS, undefined, { signal });
  }
  return true;
}
