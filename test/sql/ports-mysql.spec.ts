// nestjs-rocketmq/sql with each database library on a real MySQL and MariaDB.

import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { sql } from 'drizzle-orm';
import { drizzle, type MySql2Database } from 'drizzle-orm/mysql2';
import mysql from 'mysql2/promise';
import {
  drizzleDatabase,
  drizzleExecutor,
  Inbox,
  mysql2Database,
  mysql2Executor,
  Outbox,
  schemaStatements,
  TransactionLog,
  typeormDatabase,
  typeormExecutor,
} from 'nestjs-rocketmq/sql';
import { DataSource, EntitySchema } from 'typeorm';
import { describeWithMySql, MySqlServer } from '../support/mysql.js';
import { OrmClients, ormKinds } from './support/orm-clients.js';
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

  it('says that the locks of the outbox are missing', async () => {
    await pool.query('CREATE TABLE other LIKE rocketmq_outbox');
    await pool.query('CREATE TABLE other_lock LIKE rocketmq_outbox_lock');
    const outbox = new Outbox({ tableName: 'other' });
    const adding = mysql2Database(pool).transaction((tx) =>
      outbox.add(tx, { topic: 'seats', body: 'x', messageGroup: '1A' }),
    );
    await expect(adding).rejects.toMatchObject({ code: 'TABLE_NOT_READY' });
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
