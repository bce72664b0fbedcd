// nestjs-rocketmq/sql with each database library on a real PostgreSQL.

import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { sql } from 'drizzle-orm';
import { sql as kyselySql } from 'kysely';
import {
  drizzleDatabase,
  drizzleExecutor,
  Inbox,
  knexExecutor,
  kyselyExecutor,
  mikroOrmExecutor,
  Outbox,
  poolDatabase,
  prismaExecutor,
  type SqlExecutor,
  schemaSql,
  schemaStatements,
  TransactionLog,
  typeormDatabase,
  typeormExecutor,
} from 'nestjs-rocketmq/sql';
import { EntitySchema } from 'typeorm';
import { describeWithPostgres } from '../fixtures/postgres.js';
import { migrationKinds, OrmClients, ormKinds } from './support/orm-clients.js';
import { type PortKind, portSuite } from './support/port-suite.js';
import { PostgresClients } from './support/postgres-clients.js';

const Seat = new EntitySchema<{ name: string }>({
  name: 'Seat',
  tableName: 'seat',
  columns: { name: { type: 'text', primary: true } },
});

describeWithPostgres('the sql kit on PostgreSQL', () => {
  let clients: PostgresClients;
  let orms: OrmClients;
  const pool = () => clients.pool;
  beforeAll(async () => {
    clients = await PostgresClients.start({
      tables: `${schemaSql()} CREATE TABLE seat (name text PRIMARY KEY)`,
      entities: [Seat],
    });
    orms = await OrmClients.onPostgres(clients.address);
  });
  afterAll(async () => {
    await orms?.close();
    await clients?.stop();
  });
  beforeEach(async () => {
    await pool().query('TRUNCATE rocketmq_outbox, rocketmq_inbox, rocketmq_transaction_log, seat');
  });

  const kinds: PortKind[] = [
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
    ...ormKinds(() => orms),
  ];

  const seats = async (): Promise<number> => (await pool().query('SELECT * FROM seat')).rows.length;

  portSuite(kinds, {
    seats,
    ageOutbox: () => pool().query(`UPDATE rocketmq_outbox SET settled_at = now() - interval '2 days'`),
  });

  it.each(migrationKinds(() => orms))('creates its tables by migrations of %s', async (_, run) => {
    const names = { transactionLogTable: 'migrated_log', inboxTable: 'migrated_inbox', outboxTable: 'migrated_outbox' };
    for (const statement of schemaStatements({ dialect: 'postgresql', toVersion: 1, ...names })) await run(statement);
    const database = poolDatabase(pool());
    await new TransactionLog({ database, tableName: names.transactionLogTable }).assertReady();
    await new Inbox({ tableName: names.inboxTable }).assertReady(database);
    await new Outbox({ tableName: names.outboxTable }).assertReady(database);
    await run('DROP TABLE migrated_log, migrated_inbox, migrated_outbox');
  });

  it('returns rows for every kind of statement of TypeORM', async () => {
    const rows = await typeormDatabase(clients.dataSource).transaction(async (tx) => [
      (await tx.query('INSERT INTO seat VALUES ($1) RETURNING name', ['2B'])).rows,
      (await tx.query('UPDATE seat SET name = $1 RETURNING name', ['2C'])).rows,
      (await tx.query('DELETE FROM seat', [])).rows,
    ]);
    expect(rows).toEqual([[{ name: '2B' }], [{ name: '2C' }], []]);
  });

  it('rejects what is not in a transaction', async () => {
    const { knex, kysely, orm, prisma } = orms.clients;
    const executors = [
      () => typeormExecutor(clients.dataSource.manager),
      () => knexExecutor(knex),
      () => kyselyExecutor(kysely, kyselySql),
      () => prismaExecutor(prisma),
      () => mikroOrmExecutor(orm.em),
      () => mikroOrmExecutor(orm.em.fork()),
    ];
    for (const executor of executors) expect(executor).toThrow('NO_TRANSACTION');
    const inPool = new Outbox().add(pool(), { topic: 'seats', body: 'x' });
    await expect(inPool).rejects.toMatchObject({ code: 'NO_TRANSACTION' });
  });

  it('rejects a transaction that has ended, or that a client never began', async () => {
    let kept: SqlExecutor | undefined;
    await poolDatabase(pool()).transaction(async (tx) => {
      kept = tx;
    });
    const runner = clients.dataSource.createQueryRunner();
    const em = orms.clients.orm.em.fork();
    const rolledBack = [typeormExecutor(runner.manager)];
    try {
      await em.begin();
      rolledBack.push(mikroOrmExecutor(em));
      await em.rollback();
      for (const tx of [...rolledBack, kept as SqlExecutor]) {
        const once = new Inbox().once(tx, 'key', async () => {});
        await expect(once).rejects.toMatchObject({
          code: expect.stringMatching(/^(NO_TRANSACTION|TRANSACTION_ENDED)$/),
        });
      }
      await runner.startTransaction();
      const begun = typeormExecutor(runner.manager);
      await new Inbox().once(begun, 'key', async () => {});
      await runner.rollbackTransaction();
      const late = new Outbox().add(begun, { topic: 'seats', body: 'x' });
      await expect(late).rejects.toMatchObject({ code: 'NO_TRANSACTION' });
    } finally {
      await runner.release();
    }
    expect((await pool().query('SELECT key FROM rocketmq_inbox')).rows).toEqual([]);
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
