// Races between local transactions and checks in a real database, on separate connections, as in separate processes.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Connection,
  currentLocalTransaction,
  HOUR_MS,
  MINUTE_MS,
  Producer,
  PushConsumer,
  SECOND_MS,
} from 'nestjs-rocketmq/client';
import {
  Inbox,
  retryTransaction,
  type SqlDatabase,
  type SqlExecutor,
  TransactionFencedError,
  TransactionLog,
} from 'nestjs-rocketmq/sql';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { seededRandom } from '../../tools/random.js';
import { column, type OpenDatabase, openDatabase } from '../../tools/servers/sql-databases.js';
import { levelsOf, MYSQL, POSTGRESQL, type Server } from '../../tools/servers/sql-servers.js';
import { agreementViolations } from '../../tools/transaction-agreement.js';
import { until } from '../../tools/until.js';
import { describeWithMySql } from '../fixtures/mysql.js';
import { describeWithPostgres } from '../fixtures/postgres.js';
import { ORDERS } from './support/crash-job.js';

const neverAborted = (): AbortSignal => new AbortController().signal;
/** Short, so that a check during a running transaction does not delay the test. */
const LOCK_TIMEOUT_MS = 20;
/** So short that checks fence slow local transactions. */
const LOCAL_TRANSACTION_TIMEOUT_MS = 5 * SECOND_MS;

describeWithPostgres('local transactions and checks on PostgreSQL', () => racesAtEachLevel(POSTGRESQL));
describeWithMySql('local transactions and checks on', (product) => racesAtEachLevel(MYSQL[product]));

function racesAtEachLevel(server: Server): void {
  describe.each(levelsOf(server))('under %s', (_, setting) => racesOf(server, setting));
}

function racesOf({ start, pause: pauseOf, endOfConnection, oldKeys }: Server, isolation: string): void {
  let server: Awaited<ReturnType<Server['start']>>;
  /** The databases of the local transactions and of the checks. */
  let local: OpenDatabase;
  let checking: OpenDatabase;

  beforeAll(async () => {
    server = await start(isolation);
    local = await openDatabase(server.place);
    checking = await openDatabase(server.place);
  });
  afterAll(async () => {
    await local?.close();
    await checking?.close();
    await server?.stop();
  });
  beforeEach(async () => {
    for (const table of ['orders', 'rocketmq_transaction_log', 'rocketmq_inbox'])
      await local.port.transaction((tx) => tx.query(`DELETE FROM ${table}`, []));
  });

  const fences = (): Promise<string[]> => column(checking.port, 'SELECT transaction_id FROM rocketmq_transaction_log');
  const orders = (): Promise<string[]> => column(local.port, 'SELECT id FROM orders');

  describe('of two processes with one broker', () => {
    let broker: TestBroker;
    const ends: (() => unknown)[] = [];
    const delivered: string[] = [];
    let placing: Producer;

    beforeEach(async () => {
      // Enough checks that each process is checked while the transaction runs.
      const checks = { transactionCheckIntervalMs: 2 * SECOND_MS, transactionCheckMax: 60 };
      broker = await TestBroker.start({ manualClock: true, ...checks });
      broker.declareTopic({ name: ORDERS, type: 'transaction' });
      delivered.length = 0;
      [placing] = (await Promise.all([local.port, checking.port].map(startProcess))) as [Producer, Producer];
    });
    afterEach(async () => {
      for (const end of ends.splice(0).reverse()) await end();
      await broker.stop();
    });

    /** A producer and a consumer with their own connection; the broker checks the producers round-robin. */
    async function startProcess(database: SqlDatabase): Promise<Producer> {
      const connection = new Connection({ endpoints: broker.endpoints, clock: broker.clock });
      const log = new TransactionLog({ database, lockTimeoutMs: LOCK_TIMEOUT_MS });
      const producer = new Producer(connection, {
        transactionCheckers: { [ORDERS]: (check) => log.check(check) },
        localTransactionTimeoutMs: LOCAL_TRANSACTION_TIMEOUT_MS,
      });
      const consumer = new PushConsumer(connection, {
        consumerGroup: 'stock',
        subscriptions: [{ topic: ORDERS }],
        handler: ({ body }) => void delivered.push(body.toString()),
      });
      ends.push(
        () => connection.close(),
        () => producer.close(),
        () => consumer.close(),
      );
      await Promise.all([producer.start(), consumer.start()]);
      return producer;
    }

    /** Places an order that is slow before or after it writes the row of the log. @returns the error, if it failed */
    async function place(order: string, { beforeMs = 0, afterMs = 0 }): Promise<unknown> {
      const log = new TransactionLog({ database: local.port });
      const work = (durationMs: number) => broker.advance(durationMs, { duringWork: true });
      const placed = placing.transact({ message: { topic: ORDERS, body: order } }, () =>
        local.port.transaction(async (tx) => {
          await insertOrder(tx, order);
          await work(beforeMs);
          // The last check may still be in transit.
          if (beforeMs > 0) await until(async () => (await fences()).length > 0);
          await log.record(tx);
          await work(afterMs);
        }),
      );
      return placed.then(
        () => undefined,
        (error: unknown) => error,
      );
    }

    async function violations(order: string, error: unknown): Promise<string[]> {
      for (let round = 0; round < 5; round++) await broker.advance(MINUTE_MS);
      const returned = error === undefined ? [order] : [];
      const undecided = broker.halfMessages().map(({ body }) => body.toString());
      return agreementViolations({ begun: [order], returned, inDatabase: await orders(), delivered, undecided });
    }

    it.each([8, 40])(
      'agree about a transaction that holds its row for %s s: it commits, whichever process is checked',
      async (seconds) => {
        const error = await place('slow', { afterMs: seconds * SECOND_MS });
        expect(error).toBeUndefined();
        expect(await violations('slow', error)).toEqual([]);
        expect(delivered[0]).toBe('slow');
      },
    );

    it.each([8, 40])('agree about a transaction that writes its row after %s s: a check was first', async (seconds) => {
      const error = await place('slow', { beforeMs: seconds * SECOND_MS });
      expect(error).toBeInstanceOf(TransactionFencedError);
      expect(await violations('slow', error)).toEqual([]);
      expect(delivered).toEqual([]);
    });

    it('agree about a transaction whose connection is lost during the commit', async () => {
      const log = new TransactionLog({ database: local.port });
      const placed = placing.transact({ message: { topic: ORDERS, body: 'cut off' } }, () =>
        local.port.transaction(async (tx) => {
          await insertOrder(tx, 'cut off');
          await log.record(tx, currentLocalTransaction());
          await tx.query(endOfConnection, []);
        }),
      );
      const error = await placed.catch((failure: unknown) => failure);
      expect(error).toBeInstanceOf(Error);
      expect(await violations('cut off', error)).toEqual([]);
    });
  });

  it('never disagree in a hundred races', async () => {
    const random = seededRandom(20_261_120);
    const pause = (tx: SqlExecutor) => tx.query(pauseOf(random() * 0.01), []);
    const [log, asking] = [local, checking].map(
      ({ port }) => new TransactionLog({ database: port, lockTimeoutMs: LOCK_TIMEOUT_MS }),
    ) as [TransactionLog, TransactionLog];
    const answers: string[] = [];
    const race = async (id: string): Promise<void> => {
      const half = { transactionId: id, topic: ORDERS };
      const placed = local.port.transaction(async (tx) => {
        await insertOrder(tx, id);
        await pause(tx);
        await log.record(tx, half);
        await pause(tx);
        if (random() < 0.2) throw new Error('out of stock');
      });
      const check = async (): Promise<string> => {
        await checking.port.transaction(pause);
        return asking.check({ ...half, signal: neverAborted() });
      };
      const [end, ...answered] = await Promise.all([
        placed.then(() => 'commit').catch(() => undefined),
        check(),
        check(),
      ]);
      // The server accepts the first answer that is not "unknown"; if all are, it checks again.
      const last = await asking.check({ ...half, signal: neverAborted() });
      const words = [...answered.filter((word) => word !== 'unknown'), ...(end === undefined ? [] : [end]), last];
      answers.push(...answered);
      expect([id, ...new Set(words)]).toEqual([id, last]);
      if (last === 'commit') delivered.push(id);
    };
    const delivered: string[] = [];
    const begun = Array.from({ length: 100 }, (_, index) => `order-${index}`);
    for (let first = 0; first < begun.length; first += 4) await Promise.all(begun.slice(first, first + 4).map(race));
    const ends = { begun, returned: [], inDatabase: await orders(), delivered, undecided: [] };
    expect(agreementViolations(ends)).toEqual([]);
    // Both must have been first several times, or this test would prove nothing.
    expect(answers).toEqual(expect.arrayContaining(['commit', 'rollback']));
  });

  it('answer "unknown" to a check while a running transaction holds the row', async () => {
    const half = { transactionId: 'running', topic: ORDERS, signal: neverAborted() };
    const [log, asking] = [local, checking].map(
      ({ port }) => new TransactionLog({ database: port, lockTimeoutMs: LOCK_TIMEOUT_MS }),
    ) as [TransactionLog, TransactionLog];
    await local.port.transaction(async (tx) => {
      await log.record(tx, half);
      expect(await asking.check(half)).toBe('unknown');
    });
    expect(await asking.check(half)).toBe('commit');
  });

  it('do a step of the inbox once, however many arrive concurrently', async () => {
    const inbox = new Inbox();
    const step = (database: SqlDatabase) =>
      retryTransaction(() =>
        database.transaction((tx) => inbox.once(tx, 'order-1:reserve', () => insertOrder(tx, 'order-1'))),
      );
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, index) => step(index % 2 ? local.port : checking.port)),
    );
    expect(results.filter(({ first }) => first)).toHaveLength(1);
    expect(await orders()).toEqual(['order-1']);
  });

  it('purge concurrently without waiting for each other', async () => {
    await local.port.transaction((tx) => tx.query(oldKeys, []));
    const inbox = new Inbox({ retentionMs: 7 * 24 * HOUR_MS });
    const counts = await Promise.all([inbox.purge(local.port), inbox.purge(checking.port)]);
    const left = await column(local.port, 'SELECT count(*) FROM rocketmq_inbox');
    expect(counts.reduce((sum, count) => sum + count, Number(left[0]))).toBe(5_000);
    expect(await inbox.purge(local.port)).toBe(Number(left[0]));
  });
}

function insertOrder(tx: SqlExecutor, id: string): Promise<unknown> {
  return tx.query(`INSERT INTO orders VALUES ('${id}')`, []);
}
