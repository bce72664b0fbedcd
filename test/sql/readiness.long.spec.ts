// What assertReady() finds wrong with tables that somebody created in another way, on real servers.

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import mysql from 'mysql2/promise';
import {
  Inbox,
  mysql2Database,
  Outbox,
  poolDatabase,
  type SqlDatabase,
  schemaSql,
  schemaStatements,
  TransactionLog,
} from 'nestjs-rocketmq/sql';
import pg from 'pg';
import { describeWithMySql, MySqlServer } from '../fixtures/mysql.js';
import { describeWithPostgres, Postgres } from '../fixtures/postgres.js';

type Kind = 'log' | 'inbox' | 'outbox';
/** A table with the name `t`: its title, its kind, its statements, and what is wrong with it. */
type Case = [title: string, kind: Kind, statements: string[], problem?: string];

function ready(database: SqlDatabase, kind: Kind, tableName?: string): Promise<void> {
  const named = tableName === undefined ? {} : { tableName };
  if (kind === 'log') return new TransactionLog({ database, ...named }).assertReady();
  return (kind === 'inbox' ? new Inbox(named) : new Outbox(named)).assertReady(database);
}

const INBOX_KEY = 'table t has no primary key or unique index of the column key alone;';
const LOG_KEY = 'table t has no primary key or unique index of the column transaction_id alone;';

const PG_LOG = 'transaction_id text, topic text, resolution text, created_at timestamptz DEFAULT now()';
const onPostgres: Case[] = [
  ['a log without a key', 'log', ['CREATE TABLE t AS SELECT * FROM rocketmq_transaction_log'], LOG_KEY],
  ['an inbox without a key', 'inbox', ['CREATE TABLE t AS SELECT * FROM rocketmq_inbox'], INBOX_KEY],
  [
    'an outbox without a key',
    'outbox',
    ['CREATE TABLE t AS SELECT * FROM rocketmq_outbox'],
    'no primary key or unique index of the column position',
  ],
  [
    'a log whose key has two columns',
    'log',
    [`CREATE TABLE t (${PG_LOG}, PRIMARY KEY (transaction_id, created_at)) PARTITION BY RANGE (created_at)`],
    LOG_KEY,
  ],
  [
    'an inbox whose index has a condition',
    'inbox',
    ['CREATE TABLE t AS SELECT * FROM rocketmq_inbox', "CREATE UNIQUE INDEX ON t (key) WHERE key <> 'x'"],
    INBOX_KEY,
  ],
  [
    'a partitioned log',
    'log',
    [`CREATE TABLE t (${PG_LOG}, PRIMARY KEY (transaction_id)) PARTITION BY HASH (transaction_id)`],
  ],
  [
    'an inbox with a unique index that includes a column',
    'inbox',
    ['CREATE TABLE t AS SELECT * FROM rocketmq_inbox', 'CREATE UNIQUE INDEX ON t (key) INCLUDE (created_at)'],
  ],
];

const onMySql: Case[] = [
  ['a log without a key', 'log', ['CREATE TABLE t AS SELECT * FROM rocketmq_transaction_log'], LOG_KEY],
  ['an inbox without a key', 'inbox', ['CREATE TABLE t AS SELECT * FROM rocketmq_inbox'], INBOX_KEY],
  [
    'an outbox without a key',
    'outbox',
    [
      'CREATE TABLE t AS SELECT * FROM rocketmq_outbox',
      'CREATE TABLE t_lock LIKE rocketmq_outbox_lock',
      'INSERT INTO t_lock SELECT * FROM rocketmq_outbox_lock',
    ],
    'no primary key or unique index of the column position',
  ],
  [
    'a log of another engine',
    'log',
    ['CREATE TABLE t LIKE rocketmq_transaction_log', 'ALTER TABLE t ENGINE = MyISAM'],
    'table t has the engine MyISAM instead of InnoDB;',
  ],
  [
    'an inbox that takes different keys for equal',
    'inbox',
    ['CREATE TABLE t (`key` varchar(64) COLLATE utf8mb4_general_ci PRIMARY KEY, created_at datetime(3))'],
    'column key of table t takes different keys for equal (collation utf8mb4_general_ci);',
  ],
  [
    'an inbox that takes keys with a space at the end for equal',
    'inbox',
    ['CREATE TABLE t (`key` varchar(64) COLLATE utf8mb4_bin PRIMARY KEY, created_at datetime(3))'],
    'column key of table t takes different keys for equal (collation utf8mb4_bin);',
  ],
  [
    'an inbox whose key is the beginning of a column',
    'inbox',
    ['CREATE TABLE t (`key` varbinary(1020) NOT NULL, created_at datetime(3), UNIQUE KEY (`key`(10)))'],
    INBOX_KEY,
  ],
  [
    'an outbox without all rows of locks',
    'outbox',
    [
      'CREATE TABLE t LIKE rocketmq_outbox',
      'CREATE TABLE t_lock LIKE rocketmq_outbox_lock',
      'INSERT INTO t_lock SELECT slot FROM rocketmq_outbox_lock WHERE slot < 1000',
    ],
    'table t_lock has 1000 of 1024 rows;',
  ],
  [
    'an inbox with a unique index',
    'inbox',
    [
      'CREATE TABLE t (`key` varbinary(255) NOT NULL, created_at datetime(3), UNIQUE KEY (`key`), KEY (created_at, `key`))',
    ],
  ],
];

/** The tables in the common test are those of the schema, with names that begin like each other. */
const SIMILAR = { transactionLogTable: 'rmq_transaction_log', inboxTable: 'rmq_inbox', outboxTable: 'rmq' };

describeWithPostgres('tables on PostgreSQL', () => {
  let server: Postgres;
  let pool: pg.Pool;
  beforeAll(async () => {
    server = await Postgres.start();
    pool = new pg.Pool(server.address);
    await pool.query(`${schemaSql()} ${schemaSql(SIMILAR)}`);
  });
  afterAll(async () => {
    await pool?.end();
    await server?.stop();
  });

  it.each(onPostgres)('%s', async (...[, kind, statements, problem]) => {
    try {
      for (const statement of statements) await pool.query(statement);
      await expectProblem(ready(poolDatabase(pool), kind, 't'), problem);
    } finally {
      await pool.query('DROP TABLE t');
    }
  });

  it('are ready one by one, whatever tables with similar names are missing', async () => {
    await pool.query('DROP TABLE rmq_inbox, rmq_transaction_log');
    await ready(poolDatabase(pool), 'outbox', 'rmq');
  });

  it('are ready behind a view', async () => {
    await pool.query('CREATE VIEW keys AS SELECT * FROM rocketmq_inbox');
    await ready(poolDatabase(pool), 'inbox', 'keys');
  });

  it('are ready for a user with no more rights than it needs', async () => {
    await pool.query('CREATE ROLE clerk LOGIN; GRANT INSERT, SELECT ON rocketmq_inbox TO clerk');
    const own = new pg.Pool({ ...server.address, user: 'clerk' });
    try {
      await ready(poolDatabase(own), 'inbox');
    } finally {
      await own.end();
    }
  });
});

describeWithMySql('tables on', (product) => {
  let server: MySqlServer;
  let pool: mysql.Pool;
  beforeAll(async () => {
    server = await MySqlServer.start(product);
    pool = mysql.createPool(server.address);
    for (const options of [{}, SIMILAR])
      for (const statement of schemaStatements({ dialect: 'mysql', ...options })) await pool.query(statement);
  });
  afterAll(async () => {
    await pool?.end();
    await server?.stop();
  });

  it.each(onMySql)('%s', async (...[, kind, statements, problem]) => {
    try {
      for (const statement of statements) await pool.query(statement);
      await expectProblem(ready(mysql2Database(pool), kind, 't'), problem);
    } finally {
      await pool.query('DROP TABLE IF EXISTS t, t_lock');
    }
  });

  it('are ready with keys of characters that differ in each byte', async () => {
    const collation = product === 'MySQL' ? 'utf8mb4_0900_bin' : 'utf8mb4_nopad_bin';
    try {
      await pool.query(`CREATE TABLE t (\`key\` varchar(64) COLLATE ${collation} PRIMARY KEY, created_at datetime(3))`);
      await ready(mysql2Database(pool), 'inbox', 't');
      const once = (key: string) =>
        mysql2Database(pool).transaction((tx) => new Inbox({ tableName: 't' }).once(tx, key, async () => {}));
      for (const key of ['k', 'k ', 'K', 'é']) expect(await once(key)).toMatchObject({ first: true });
    } finally {
      await pool.query('DROP TABLE IF EXISTS t');
    }
  });

  it('are ready one by one, whatever tables with similar names are missing', async () => {
    await pool.query('DROP TABLE rmq_inbox, rmq_transaction_log');
    await ready(mysql2Database(pool), 'outbox', 'rmq');
  });

  it('are ready behind a view', async () => {
    await pool.query('CREATE VIEW `keys` AS SELECT * FROM rocketmq_inbox');
    await ready(mysql2Database(pool), 'inbox', 'keys');
  });

  describe('for a user with no more rights than it needs', () => {
    it.each<[Kind, string[]]>([
      ['inbox', ['INSERT ON rocketmq_inbox']],
      ['log', ['SELECT, INSERT, UPDATE ON rocketmq_transaction_log']],
      ['outbox', ['INSERT ON rocketmq_outbox', 'SELECT, UPDATE ON rocketmq_outbox_lock']],
    ])('%s', async (kind, grants) => {
      await pool.query("CREATE USER clerk@localhost IDENTIFIED BY ''");
      try {
        for (const grant of grants) await pool.query(`GRANT ${grant} TO clerk@localhost`);
        const own = mysql.createPool({ ...server.address, user: 'clerk' });
        try {
          await ready(mysql2Database(own), kind);
        } finally {
          await own.end();
        }
      } finally {
        await pool.query('DROP USER clerk@localhost');
      }
    });
  });
});

async function expectProblem(checked: Promise<void>, problem: string | undefined): Promise<void> {
  if (problem === undefined) return checked;
  await expect(checked).rejects.toMatchObject({ code: 'TABLE_NOT_READY', message: expect.stringContaining(problem) });
}
