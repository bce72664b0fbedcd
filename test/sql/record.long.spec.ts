// `TransactionLog.record` with transactions, with savepoints that are released or rolled back, and with connections outside a
// transaction. In every case the message is visible if and only if its row was committed, and a change without its message is an error.

import type { PGlite } from '@electric-sql/pglite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createPglite } from 'demo-kit';
import { drizzle } from 'drizzle-orm/pglite';
import mysql from 'mysql2/promise';
import { Connection, MINUTE_MS, Producer } from 'nestjs-rocketmq/client';
import { mysql2Database, mysql2Executor, poolDatabase, type SqlExecutor, TransactionLog } from 'nestjs-rocketmq/sql';
import { TestBroker } from 'nestjs-rocketmq/testing';
import type { EntityManager } from 'typeorm';
import { column, MYSQL_TABLES, TABLES } from '../../tools/servers/sql-databases.js';
import { levelsOf, MYSQL } from '../../tools/servers/sql-servers.js';
import { describeWithMySql, MySqlServer } from '../fixtures/mysql.js';
import { describeWithPostgres } from '../fixtures/postgres.js';
import { ProducerBench } from '../fixtures/producer-bench.js';
import { ORDERS } from './support/crash-job.js';
import { PostgresClients } from './support/postgres-clients.js';
import { recordSuite } from './support/record-suite.js';
import { byDrizzle, bySavepoint, byTypeorm } from './support/transaction-kinds.js';

const neverAborted = new AbortController().signal;

describe('TransactionLog.record on PGlite', () => {
  let database: PGlite;
  beforeAll(async () => {
    database = await createPglite();
    await database.exec(TABLES);
  });
  afterAll(() => database.close());

  describe('itself', () => recordSuite(() => bySavepoint(database, database)));
  describe('by Drizzle', () => recordSuite(() => byDrizzle(drizzle(database))));

  it('drops the message of a transaction that was ended by its own rollback()', async () => {
    const bench = await ProducerBench.start({ topics: [{ name: ORDERS, type: 'transaction' }], manualClock: true });
    try {
      const log = new TransactionLog({ database });
      const producer = bench.newProducer({ transactionCheckers: { [ORDERS]: (check) => log.check(check) } });
      await producer.start();
      const placed = producer.transact({ message: { topic: ORDERS, body: 'order-1' } }, () =>
        database.transaction(async (tx) => {
          await log.record(tx);
          await tx.rollback();
        }),
      );
      await expect(placed).rejects.toMatchObject({ code: 'NOT_COMMITTED' });
      expect([bench.broker.messages(ORDERS), bench.broker.halfMessages()]).toEqual([[], []]);
    } finally {
      await bench.close();
    }
  });
});

describeWithMySql('TransactionLog.record on', (product) => {
  describe.each(levelsOf(MYSQL[product]))('under %s', (_, isolation) => {
    let server: MySqlServer;
    let pool: mysql.Pool;
    beforeAll(async () => {
      server = await MySqlServer.start(product, [isolation]);
      pool = mysql.createPool(server.address);
      for (const statement of MYSQL_TABLES) await pool.query(statement);
    });
    afterAll(async () => {
      await pool?.end();
      await server?.stop();
    });
    recordSuite(() => bySavepoint(mysql2Database(pool), mysql2Executor({ query: (...args) => pool.query(...args) })));
  });
});

describeWithPostgres('TransactionLog.record on PostgreSQL', () => {
  let clients: PostgresClients;
  const pool = () => clients.pool;

  it('leaves connections of the pool to the application while many checks wait', async () => {
    const log = new TransactionLog({ database: poolDatabase(pool()), lockTimeoutMs: 1_000 });
    const ids = Array.from({ length: 30 }, (_, index) => `held-${index}`);
    let answered = 0;
    await poolDatabase(pool()).transaction(async (tx) => {
      for (const transactionId of ids) await log.record(tx, { transactionId, topic: ORDERS });
      const checks = ids.map(async (transactionId) => {
        const { signal } = new AbortController();
        const answer = await log.check({ transactionId, topic: ORDERS, signal });
        answered++;
        return answer;
      });
      await pool().query('SELECT 1');
      expect(answered).toBe(0);
      expect(new Set(await Promise.all(checks))).toEqual(new Set(['unknown']));
    });
  });

  beforeAll(async () => {
    clients = await PostgresClients.start({ tables: TABLES });
  });
  afterAll(() => clients?.stop());

  describe('by pg', () => recordSuite(() => bySavepoint(poolDatabase(pool()), pool())));
  describe('by Drizzle', () => recordSuite(() => byDrizzle(clients.drizzle)));
  describe('by TypeORM', () => {
    let outside: EntityManager;
    beforeAll(() => {
      outside = clients.dataSource.createQueryRunner().manager;
    });
    afterAll(() => outside.queryRunner?.release());
    recordSuite(() => byTypeorm(clients.dataSource, outside));
  });

  describe('in a transaction around the method', () => {
    let broker: TestBroker;
    let connection: Connection;
    let producer: Producer;
    const visible = () => broker.messages(ORDERS).map(({ body }) => body.toString());

    beforeEach(async () => {
      await pool().query('TRUNCATE orders, rocketmq_transaction_log');
      broker = await TestBroker.start({ manualClock: true });
      broker.declareTopic({ name: ORDERS, type: 'transaction' });
      connection = new Connection({ endpoints: broker.endpoints, clock: broker.clock });
      const log = new TransactionLog({ database: poolDatabase(pool()) });
      producer = new Producer(connection, { transactionCheckers: { [ORDERS]: (check) => log.check(check) } });
      await producer.start();
    });
    afterEach(async () => {
      await producer.close();
      connection.close();
      await broker.stop();
    });

    it.each([
      ['committed', 'a savepoint of it'],
      ['rolled back', 'a savepoint of it'],
      ['committed', 'it'],
      ['rolled back', 'it'],
    ])('waits for it to be %s, where the method ran in %s', async (end, where) => {
      const log = new TransactionLog({ database: poolDatabase(pool()) });
      const around = bySavepoint(poolDatabase(pool()), pool()).transaction(async (tx, nested) => {
        const work = async (inner: SqlExecutor) => {
          await inner.query('INSERT INTO orders VALUES ($1)', ['order-1']);
          await log.record(inner);
        };
        await producer.transact({ message: { topic: ORDERS, body: 'order-1' } }, () =>
          where === 'it' ? work(tx) : nested(work),
        );
        expect([visible(), broker.halfMessages().length]).toEqual([[], 1]);
        if (end === 'rolled back') throw new Error('no aeroplane');
      });
      await around.catch((error: Error) => expect(error.message).toBe('no aeroplane'));
      for (let round = 0; round < 10 && broker.halfMessages().length > 0; round++) await broker.advance(MINUTE_MS);
      const kept = end === 'committed' ? ['order-1'] : [];
      expect([await column(poolDatabase(pool()), 'SELECT id FROM orders'), visible()]).toEqual([kept, kept]);
    });
  });

  it('accepts a partitioned log', async () => {
    const columns =
      'transaction_id text PRIMARY KEY, topic text, resolution text, created_at timestamptz DEFAULT now()';
    await pool().query(`CREATE TABLE parts (${columns}) PARTITION BY HASH (transaction_id);
      CREATE TABLE part PARTITION OF parts FOR VALUES WITH (modulus 1, remainder 0)`);
    const log = new TransactionLog({ database: poolDatabase(pool()), tableName: 'parts' });
    const half = { transactionId: 'T1', topic: ORDERS };
    await poolDatabase(pool()).transaction((tx) => log.record(tx, half));
    expect(await log.check({ ...half, signal: neverAborted })).toBe('commit');
  });
});
