// nestjs-rocketmq/sql with each database library on a real MySQL and MariaDB.

import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { sql } from 'drizzle-orm';
import { drizzle, type MySql2Database } from 'drizzle-orm/mysql2';
import mysql from 'mysql2/promise';
import {
  drizzleDatabase,
  drizzleExecutor,
  Inbox,
  knexExecutor,
  mysql2Database,
  mysql2Executor,
  Outbox,
  type SqlExecutor,
  schemaStatements,
  TransactionLog,
  typeormDatabase,
  typeormExecutor,
} from 'nestjs-rocketmq/sql';
import { DataSource, EntitySchema } from 'typeorm';
import { describeWithMySql, MySqlServer } from '../fixtures/mysql.js';
import { migrationKinds, OrmClients, ormKinds } from './support/orm-clients.js';
import { type PortKind, portSuite } from './support/port-suite.js';

const Seat = new EntitySchema<{ name: string }>({
  name: 'Seat',
  tableName: 'seat',
  columns: { name: { type: 'varchar', primary: true } },
});

describeWithMySql('the sql kit on', (product) => {
  let server: MySqlServer;
  let pool: mysql.Pool;
  let db: MySql2Database;
  let dataSource: DataSource;
  let orms: OrmClients;

  beforeAll(async () => {
    server = await MySqlServer.start(product);
    pool = mysql.createPool(server.address);
    db = drizzle(pool);
    const { user: username, ...address } = server.address;
    dataSource = new DataSource({
      type: product === 'MySQL' ? 'mysql' : 'mariadb',
      ...address,
      username,
      entities: [Seat],
    });
    await dataSource.initialize();
    const tables = [...schemaStatements({ dialect: 'mysql' }), 'CREATE TABLE seat (name varchar(255) PRIMARY KEY)'];
    for (const statement of tables) await pool.query(statement);
    orms = await OrmClients.onMySql(server.address);
  });
  afterAll(async () => {
    await orms?.close();
    await dataSource?.destroy();
    await pool?.end();
    await server?.stop();
  });
  beforeEach(async () => {
    for (const table of ['rocketmq_outbox', 'rocketmq_inbox', 'rocketmq_transaction_log', 'seat'])
      await pool.query(`DELETE FROM ${table}`);
  });

  const kinds: PortKind[] = [
    [
      'mysql2',
      () => mysql2Database(pool),
      (work) =>
        mysql2Database(pool).transaction((tx) => work(tx, () => tx.query('INSERT INTO seat VALUES (?)', ['1A']))),
    ],
    [
      'TypeORM',
      () => typeormDatabase(dataSource),
      (work) =>
        dataSource.transaction((manager) => work(typeormExecutor(manager), () => manager.insert(Seat, { name: '1A' }))),
    ],
    [
      'Drizzle',
      () => drizzleDatabase(db, sql),
      (work) =>
        db.transaction((tx) =>
          work(drizzleExecutor(tx, sql), () => tx.execute(sql`INSERT INTO seat VALUES (${'1A'})`)),
        ),
    ],
    ...ormKinds(() => orms),
  ];
  portSuite(kinds, {
    seats: async () => (await pool.query<mysql.RowDataPacket[]>('SELECT * FROM seat'))[0].length,
    ageOutbox: () => pool.query('UPDATE rocketmq_outbox SET settled_at = UTC_TIMESTAMP(3) - INTERVAL 2 DAY'),
  });

  it.each(migrationKinds(() => orms))('creates its tables by migrations of %s', async (_, run) => {
    const names = { transactionLogTable: 'migrated_log', inboxTable: 'migrated_inbox', outboxTable: 'migrated_outbox' };
    for (const statement of schemaStatements({ dialect: 'mysql', toVersion: 1, ...names })) await run(statement);
    const database = mysql2Database(pool);
    await new TransactionLog({ database, tableName: names.transactionLogTable }).assertReady();
    await new Inbox({ tableName: names.inboxTable }).assertReady(database);
    await new Outbox({ tableName: names.outboxTable }).assertReady(database);
    await run('DROP TABLE migrated_log, migrated_inbox, migrated_outbox, migrated_outbox_lock');
  });

  it('can create its tables again', async () => {
    for (const statement of schemaStatements({ dialect: 'mysql' })) await pool.query(statement);
  });

  it('takes keys for different that differ in case, in accents or in a space at the end', async () => {
    const inbox = new Inbox();
    const keys = ['key', 'Key', 'kéy', 'key ', 'x'.repeat(1_020)];
    const step = (key: string) => mysql2Database(pool).transaction((tx) => inbox.once(tx, key, async () => {}));
    for (const key of keys) expect(await step(key)).toMatchObject({ first: true });
    for (const key of keys) expect(await step(key)).toEqual({ first: false });
    await expect(step('x'.repeat(1_021))).rejects.toMatchObject({ code: 'ILLEGAL_KEY' });
  });

  it('rejects a transaction that has ended', async () => {
    let kept: SqlExecutor | undefined;
    await mysql2Database(pool).transaction(async (tx) => {
      kept = tx;
    });
    const late = new Outbox().add(kept as SqlExecutor, { topic: 'seats', body: 'x' });
    await expect(late).rejects.toMatchObject({ code: 'TRANSACTION_ENDED' });
  });

  it('says that the locks of the outbox are missing', async () => {
    await pool.query('CREATE TABLE other LIKE rocketmq_outbox');
    await pool.query('CREATE TABLE other_lock LIKE rocketmq_outbox_lock');
    const outbox = new Outbox({ tableName: 'other' });
    const adding = mysql2Database(pool).transaction((tx) =>
      outbox.add(tx, { topic: 'seats', body: 'x', messageGroup: '1A' }),
    );
    await expect(adding).rejects.toMatchObject({ code: 'TABLE_NOT_READY' });
  });

  const checkOf = (transactionId: string, mayStillRun: boolean) => {
    return { transactionId, topic: 'seats', mayStillRun, signal: new AbortController().signal };
  };

  it('lets a nested transaction beside a record be rolled back', async () => {
    const log = new TransactionLog({ database: mysql2Database(pool) });
    const { knex } = orms.clients;
    await knex.transaction(async (trx) => {
      const nested = trx.transaction(async (inner) => {
        await inner('seat').insert({ name: '1A' });
        throw new Error('not this one');
      });
      const record = log.record(knexExecutor(trx), { transactionId: 'T1', topic: 'seats' });
      await Promise.all([record, nested.catch(() => undefined)]);
    });
    const [seats] = await pool.query('SELECT * FROM seat');
    expect(seats).toEqual([]);
  });

  it('leaves TypeORM no connection that may only read', async () => {
    const log = new TransactionLog({ database: mysql2Database(pool) });
    await log.check(checkOf('T1', false));
    const nested = dataSource.transaction((manager) =>
      manager.transaction((inner) => log.record(typeormExecutor(inner), { transactionId: 'T1', topic: 'seats' })),
    );
    await expect(nested).rejects.toMatchObject({ code: 'TRANSACTION_FENCED' });
    for (let turn = 0; turn < 12; turn++) await dataSource.query('INSERT INTO seat VALUES (?)', [`${turn}A`]);
  });

  it('does not take a row for committed at READ UNCOMMITTED, or wait for it at SERIALIZABLE', async () => {
    for (const level of ['READ UNCOMMITTED', 'SERIALIZABLE']) {
      const single = mysql.createPool({ ...server.address, connectionLimit: 1 });
      try {
        await single.query(`SET SESSION TRANSACTION ISOLATION LEVEL ${level}`);
        const log = new TransactionLog({ database: mysql2Database(single) });
        await mysql2Database(pool).transaction(async (tx) => {
          await log.record(tx, { transactionId: level, topic: 'seats' });
          expect(await log.check(checkOf(level, true))).toBe('unknown');
        });
        expect(await log.check(checkOf(level, true))).toBe('commit');
      } finally {
        await single.end();
      }
    }
  });

  it('does not wait for an ALTER TABLE longer than lockTimeoutMs', async () => {
    const log = new TransactionLog({ database: mysql2Database(pool), lockTimeoutMs: 1_000 });
    const connection = await pool.getConnection();
    try {
      await connection.query('LOCK TABLES rocketmq_transaction_log WRITE');
      expect(await log.check(checkOf('T1', false))).toBe('unknown');
    } finally {
      await connection.query('UNLOCK TABLES');
      connection.release();
    }
  });

  it('rejects a pool as a transaction', () => {
    expect(() => mysql2Executor(pool)).toThrow('NO_TRANSACTION');
  });

  it('removes a connection from the pool when it is lost', async () => {
    const lost = mysql2Database(pool).transaction((tx) => tx.query('KILL CONNECTION_ID()', []));
    await expect(lost).rejects.toThrow();
    const { rows } = await mysql2Database(pool).transaction((tx) => tx.query('SELECT 1 AS `one`', []));
    expect(rows).toEqual([{ one: 1 }]);
  });

  it('leaves the connection with the lock wait timeout that it had', async () => {
    const single = mysql.createPool({ ...server.address, connectionLimit: 1 });
    try {
      await single.query('SET SESSION innodb_lock_wait_timeout = 7');
      const log = new TransactionLog({ database: mysql2Database(single) });
      const question = { transactionId: 'T9', topic: 'seats', signal: new AbortController().signal };
      expect(await log.check(question)).toBe('rollback');
      const [rows] = await single.query('SELECT @@SESSION.innodb_lock_wait_timeout AS `seconds`');
      expect(rows).toEqual([{ seconds: 7 }]);
    } finally {
      await single.end();
    }
  });
});
