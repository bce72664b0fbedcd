// nestjs-rocketmq/sql with Drizzle, TypeORM and pg on a real PostgreSQL.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sql } from 'drizzle-orm';
import {
  drizzleDatabase,
  drizzleExecutor,
  Inbox,
  Outbox,
  OutboxRelay,
  poolDatabase,
  type SqlDatabase,
  type SqlExecutor,
  schemaSql,
  TransactionFencedError,
  TransactionLog,
  typeormDatabase,
  typeormExecutor,
} from 'nestjs-rocketmq/sql';
import { EntitySchema } from 'typeorm';
import { describeWithPostgres } from '../support/postgres.js';
import { PostgresClients } from './support/postgres-clients.js';

const Seat = new EntitySchema<{ name: string }>({
  name: 'Seat',
  tableName: 'seat',
  columns: { name: { type: 'text', primary: true } },
});

describeWithPostgres('the sql kit on PostgreSQL', () => {
  let clients: PostgresClients;
  const pool = () => clients.pool;
  beforeAll(async () => {
    clients = await PostgresClients.start({
      tables: `${schemaSql()} CREATE TABLE seat (name text PRIMARY KEY)`,
      entities: [Seat],
    });
  });
  afterAll(() => clients?.stop());
  beforeEach(async () => {
    await pool().query('TRUNCATE rocketmq_outbox, rocketmq_inbox, rocketmq_transaction_log, seat');
  });

  /** The clients, each with a statement of its own API in the transaction. */
  const kinds: [
    string,
    () => SqlDatabase,
    <T>(work: (tx: SqlExecutor, book: () => Promise<unknown>) => Promise<T>) => Promise<T>,
  ][] = [
    [
      'Drizzle',
      () => drizzleDatabase(clients.drizzle, sql),
      (work) =>
        clients.drizzle.transaction((tx) =>
          work(drizzleExecutor(tx, sql), () => tx.execute(sql`INSERT INTO seat VALUES (${'1A'})`)),
        ),
    ],
    [
      'TypeORM',
      () => typeormDatabase(clients.dataSource),
      (work) =>
        clients.dataSource.transaction((manager) =>
          work(typeormExecutor(manager), () => manager.insert(Seat, { name: '1A' })),
        ),
    ],
    [
      'pg',
      () => poolDatabase(pool()),
      (work) =>
        poolDatabase(pool()).transaction((tx) => work(tx, () => tx.query('INSERT INTO seat VALUES ($1)', ['1A']))),
    ],
  ];

  const seats = async (): Promise<number> => (await pool().query('SELECT * FROM seat')).rows.length;

  describe.each(kinds)('with %s', (_, open, transact) => {
    it('commits effects and the row of the inbox together, once', async () => {
      const inbox = new Inbox();
      const step = () => transact((tx, book) => inbox.once(tx, 'seat-1A:book', book));
      expect((await step()).first).toBe(true);
      expect((await step()).first).toBe(false);
      expect(await seats()).toBe(1);
    });

    it('rolls effects and row back together', async () => {
      const inbox = new Inbox();
      const failing = transact((tx, book) =>
        inbox.once(tx, 'seat-1A:book', async () => {
          await book();
          throw new Error('no aeroplane');
        }),
      );
      await expect(failing).rejects.toThrow('no aeroplane');
      expect(await seats()).toBe(0);
      expect((await transact((tx, book) => inbox.once(tx, 'seat-1A:book', book))).first).toBe(true);
    });

    it('records a transaction with its effects, and answers the check', async () => {
      const log = new TransactionLog({ database: open() });
      const check = (transactionId: string) =>
        log.check({ transactionId, topic: 'seats', signal: new AbortController().signal });
      await transact(async (tx, book) => {
        await book();
        await log.record(tx, { transactionId: 'T1', topic: 'seats' });
      });
      expect([await check('T1'), await check('T2'), await seats()]).toEqual(['commit', 'rollback', 1]);
      const fenced = transact(async (tx, book) => {
        await log.record(tx, { transactionId: 'T2', topic: 'seats' });
        await book();
      });
      await expect(fenced).rejects.toBeInstanceOf(TransactionFencedError);
    });

    it('adds to the outbox with its effects, and relays', async () => {
      const outbox = new Outbox();
      const sent: string[] = [];
      const relay = new OutboxRelay({
        outbox,
        database: open(),
        send: async ({ body, messageGroup }) => void sent.push(`${messageGroup} ${body}`),
      });
      await transact(async (tx, book) => {
        await book();
        for (const body of ['x', Buffer.from('y')]) await outbox.add(tx, { topic: 'seats', body, messageGroup: '1A' });
      });
      await transact((tx) => outbox.add(tx, { topic: 'seats', body: { seat: '1A' }, tag: 'v1', keys: ['1A'] }));
      expect(await relay.runOnce()).toBe(3);
      expect(sent.sort()).toEqual(['1A x', '1A y', 'undefined {"seat":"1A"}']);
      expect(await relay.metrics()).toMatchObject({ unsent: 0, sent: 3 });
      expect(await open().transaction((tx) => outbox.retryParked(tx, ['none']))).toBe(0);
      await pool().query(`UPDATE rocketmq_outbox SET settled_at = now() - interval '2 days'`);
      expect(await outbox.purge(open())).toBe(3);
    });
  });

  it('returns rows for every kind of statement of TypeORM', async () => {
    const rows = await typeormDatabase(clients.dataSource).transaction(async (tx) => [
      (await tx.query('INSERT INTO seat VALUES ($1) RETURNING name', ['2B'])).rows,
      (await tx.query('UPDATE seat SET name = $1 RETURNING name', ['2C'])).rows,
      (await tx.query('DELETE FROM seat', [])).rows,
    ]);
    expect(rows).toEqual([[{ name: '2B' }], [{ name: '2C' }], []]);
  });

  it('rejects an EntityManager that is not in a transaction', () => {
    expect(() => typeormExecutor(clients.dataSource.manager)).toThrow('NO_TRANSACTION');
  });

  it('fails a transaction of pg that the database did not commit', async () => {
    const broken = poolDatabase(pool()).transaction(async (tx) => {
      await tx.query('INSERT INTO seat VALUES ($1)', ['3D']);
      await tx.query('SELECT nothing', []).catch(() => {});
    });
    await expect(broken).rejects.toMatchObject({ code: 'NOT_COMMITTED' });
    expect([await seats(), pool().totalCount - pool().idleCount]).toEqual([0, 0]);
  });

  it('removes a client of pg from the pool when its connection is lost', async () => {
    const lost = poolDatabase(pool()).transaction((tx) =>
      tx.query('SELECT pg_terminate_backend(pg_backend_pid())', []),
    );
    await expect(lost).rejects.toThrow();
    expect((await poolDatabase(pool()).transaction((tx) => tx.query('SELECT 1 AS one', []))).rows).toEqual([
      { one: 1 },
    ]);
  });
});
