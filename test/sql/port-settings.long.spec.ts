// Settings of database libraries that change what a query returns, on real servers.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sql } from 'drizzle-orm';
import { withReplicas as withMySqlReplicas } from 'drizzle-orm/mysql-core';
import { drizzle as drizzleOnMySql } from 'drizzle-orm/mysql2';
import { drizzle as drizzleOnPg } from 'drizzle-orm/node-postgres';
import { withReplicas as withPgReplicas } from 'drizzle-orm/pg-core';
import knex from 'knex';
import { Kysely, sql as kyselySql, MysqlDialect, ParseJSONResultsPlugin, PostgresDialect } from 'kysely';
import mysqlWithCallbacks from 'mysql2';
import mysql from 'mysql2/promise';
import { MINUTE_MS } from 'nestjs-rocketmq/client';
import {
  drizzleDatabase,
  Inbox,
  knexDatabase,
  kyselyDatabase,
  mysql2Database,
  Outbox,
  OutboxRelay,
  poolDatabase,
  prismaExecutor,
  Schedule,
  type SqlDatabase,
  schemaSql,
  schemaStatements,
  sequelizeDatabase,
  TransactionLog,
} from 'nestjs-rocketmq/sql';
import pg from 'pg';
import { type Options, Sequelize } from 'sequelize';
import { ManualClock } from '../../libs/rocketmq/src/support/manual-clock.js';
import { describeWithMySql, type MySqlAddress, MySqlServer } from '../fixtures/mysql.js';
import { describeWithPostgres, Postgres, type PostgresAddress } from '../fixtures/postgres.js';

/** Close it after use. */
interface Opened {
  readonly database: SqlDatabase;
  close(): Promise<unknown>;
}

interface Opener<Address> {
  readonly title: string;
  open(address: Address): Opened | Promise<Opened>;
}

const TABLES = [
  'rocketmq_outbox',
  'rocketmq_schedule',
  'rocketmq_schedule_state',
  'rocketmq_inbox',
  'rocketmq_transaction_log',
];

/** Uses log, inbox, outbox and schedule. */
async function useKit(database: SqlDatabase): Promise<void> {
  const [inbox, outbox, log] = [new Inbox(), new Outbox(), new TransactionLog({ database })];
  for (const part of [inbox, outbox, log]) await part.assertReady(database);
  const once = (key: string) => database.transaction((tx) => inbox.once(tx, key, async () => {}));
  const keys = ['key', '张', '李', '😀'];
  for (const key of keys) expect(await once(key)).toEqual({ first: true, result: undefined });
  for (const key of keys) expect(await once(key)).toEqual({ first: false });

  const properties = { text: '\\"¥é张😀' };
  const message = { topic: 'seats', messageGroup: '{"seat":"1A"}', keys: ['1A'], properties, body: '[1]' };
  await database.transaction((tx) => outbox.add(tx, message));
  const sent: unknown[] = [];
  const relay = new OutboxRelay({
    outbox,
    database,
    send: async ({ messageGroup, keys, properties: { text } = {}, body }) =>
      void sent.push([messageGroup, keys, text, String(body)]),
  });
  expect([await relay.runOnce(), await relay.runOnce()]).toEqual([1, 0]);
  expect(sent).toEqual([['{"seat":"1A"}', ['1A'], properties.text, '[1]']]);
  expect(await relay.metrics()).toMatchObject({ unsent: 0, parked: 0 });

  const failing = new OutboxRelay({
    outbox,
    database,
    send: () => Promise.reject(new Error('拒绝')),
    maxAttempts: 3,
    backoff: 0,
  });
  await database.transaction((tx) => outbox.add(tx, message));
  for (let attempt = 1; attempt <= 4; attempt++) await failing.runOnce();
  const parked = await database.transaction((tx) => outbox.parked(tx));
  expect(parked).toMatchObject([{ attempts: 3, lastError: '拒绝' }]);
  expect(await failing.metrics()).toMatchObject({ unsent: 0, parked: 1, failed: 2, givenUp: 1 });
  expect(await database.transaction((tx) => outbox.retryParked(tx))).toBe(1);
  expect(await outbox.purge(database)).toBe(0);

  const clock = new ManualClock();
  const schedule = new Schedule({ clock });
  await schedule.assertReady(database);
  const scheduled = { '{"seat":"1B"}': { delayMs: MINUTE_MS }, '["1C"]': { cron: '* * * * *' } };
  for (const [key, when] of Object.entries(scheduled)) {
    const entry = { key, message: { ...message, messageGroup: key }, ...when };
    for (let time = 0; time < 2; time++) await database.transaction((tx) => schedule.set(tx, entry));
  }
  const { entries } = await database.transaction((tx) => schedule.pending(tx));
  expect(entries.map(({ key, messageGroup }) => [key, messageGroup]).sort()).toEqual([
    ['["1C"]', '["1C"]'],
    ['{"seat":"1B"}', '{"seat":"1B"}'],
  ]);
  clock.advanceTo(clock.nowMs() + MINUTE_MS);
  const ticks: unknown[] = [];
  const later = new OutboxRelay({
    outbox,
    schedule,
    database,
    clock,
    send: async ({ messageGroup = '', keys = [], properties: { text } = {}, body }) =>
      void ticks.push([messageGroup, keys[0], keys[1]?.startsWith(`${messageGroup}@`), text, String(body)]),
  });
  while ((await later.runOnce()) > 0);
  expect(ticks.filter((tick) => (tick as string[])[0] !== message.messageGroup).sort()).toEqual([
    ['["1C"]', '1A', true, properties.text, '[1]'],
    ['{"seat":"1B"}', '1A', true, properties.text, '[1]'],
  ]);
  expect(await later.metrics()).toMatchObject({ scheduled: 1, overdueMs: 0 });

  await database.transaction((tx) => log.record(tx, { transactionId: 'T1', topic: 'seats' }));
  const check = (transactionId: string) =>
    log.check({ transactionId, topic: 'seats', signal: new AbortController().signal });
  expect([await check('T1'), await check('T2')]).toEqual(['commit', 'rollback']);
}

async function isRejected(database: SqlDatabase): Promise<void> {
  const log = new TransactionLog({ database });
  await expect(log.assertReady()).rejects.toMatchObject({ code: 'UNEXPECTED_ROWS' });
  await expect(log.onApplicationBootstrap()).rejects.toMatchObject({ code: 'UNEXPECTED_ROWS' });
}

async function withOpened(opened: Opened | Promise<Opened>, work: (database: SqlDatabase) => Promise<void>) {
  const { database, close } = await opened;
  try {
    await work(database);
  } finally {
    await close();
  }
}

function kysely(dialect: MysqlDialect | PostgresDialect): Opened {
  const db = new Kysely({ dialect, plugins: [new ParseJSONResultsPlugin()] });
  return { database: kyselyDatabase(db, kyselySql), close: () => db.destroy() };
}

const snakeCase = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Renames the columns of all rows in the answer of a driver. */
function mapRows(answer: unknown, rename: (name: string) => string): unknown {
  if (Array.isArray(answer)) return answer.map((one) => mapRows(one, rename));
  if (typeof answer !== 'object' || answer === null) return answer;
  const { rows } = answer as { readonly rows?: unknown };
  if (rows !== undefined) return { ...answer, rows: mapRows(rows, rename) };
  return Object.fromEntries(Object.entries(answer).map(([name, value]) => [rename(name), value]));
}

const onPostgres: Opener<PostgresAddress>[] = [
  {
    title: 'Kysely with ParseJSONResultsPlugin',
    open: (address) => kysely(new PostgresDialect({ pool: new pg.Pool(address) })),
  },
  ...[
    { title: 'texts', typed: (text: string | Buffer) => text },
    { title: 'bigints', typed: (text: string | Buffer) => (/^\d+$/.test(String(text)) ? BigInt(String(text)) : text) },
  ].map(({ title, typed }) => ({
    title: `pg that returns numbers as ${title}`,
    open: (address: PostgresAddress) => {
      const pool = new pg.Pool({ ...address, types: { getTypeParser: () => typed as never } });
      return { database: poolDatabase(pool), close: () => pool.end() };
    },
  })),
  {
    title: 'Drizzle with replicas',
    open: (address) => {
      const pool = new pg.Pool(address);
      const db = withPgReplicas(drizzleOnPg(pool), [drizzleOnPg(pool)]);
      return { database: drizzleDatabase(db, sql), close: () => pool.end() };
    },
  },
  ...[
    { title: 'snake case', postProcessResponse: (answer: unknown) => mapRows(answer, snakeCase) },
    { title: 'rows only', postProcessResponse: (answer: { rows?: unknown }) => answer.rows ?? answer },
  ].map(({ title, postProcessResponse }) => ({
    title: `Knex whose postProcessResponse returns ${title}`,
    open: (connection: PostgresAddress) => {
      const db = knex({ client: 'pg', connection: { ...connection }, postProcessResponse });
      return { database: knexDatabase(db), close: () => db.destroy() };
    },
  })),
  ...[{ type: 'SELECT' }, { nest: true }, { plain: true }].map((query) => ({
    title: `Sequelize with ${JSON.stringify({ query })}`,
    open: ({ user, host, database }: PostgresAddress) => {
      const db = new Sequelize({
        dialect: 'postgres',
        username: user,
        host,
        database,
        logging: false,
        query,
      } as Options);
      return { database: sequelizeDatabase(db), close: () => db.close() };
    },
  })),
];

/** Forms of rows that mysql2 can return by default. */
const FORMS: mysql.PoolOptions[] = [
  { rowsAsArray: true },
  { nestTables: true },
  { nestTables: '_' },
  { typeCast: false },
];

const onMySql: Opener<MySqlAddress>[] = [
  ...FORMS.flatMap((form): Opener<MySqlAddress>[] => [
    {
      title: `mysql2 with ${JSON.stringify(form)}`,
      open: (address) => {
        const pool = mysql.createPool({ ...address, ...form });
        return { database: mysql2Database(pool), close: () => pool.end() };
      },
    },
    {
      title: `Knex with ${JSON.stringify(form)}`,
      open: (address) => {
        const db = knex({ client: 'mysql2', connection: { ...address, ...form } as MySqlAddress });
        return { database: knexDatabase(db), close: () => db.destroy() };
      },
    },
  ]),

  {
    title: 'Kysely with ParseJSONResultsPlugin',
    open: (address) => kysely(new MysqlDialect({ pool: mysqlWithCallbacks.createPool(address) })),
  },
  {
    title: 'Kysely whose connections return numbers as texts',
    open: (address) => {
      const typeCast = (field: { string(): string | null }) => field.string();
      return kysely(new MysqlDialect({ pool: mysqlWithCallbacks.createPool({ ...address, typeCast } as never) }));
    },
  },
  ...['latin1', 'cp1251', 'gbk', 'big5', 'sjis'].map((charset) => ({
    title: `mysql2 with the character set ${charset}`,
    open: (address: MySqlAddress) => {
      const pool = mysql.createPool({ ...address, charset });
      return { database: mysql2Database(pool), close: () => pool.end() };
    },
  })),
  {
    title: 'Drizzle with replicas',
    open: (address) => {
      const pool = mysql.createPool(address);
      const db = withMySqlReplicas(drizzleOnMySql(pool), [drizzleOnMySql(pool)]);
      return { database: drizzleDatabase(db, sql), close: () => pool.end() };
    },
  },
  ...[
    { title: 'snake case', postProcessResponse: (answer: unknown) => mapRows(answer, snakeCase) },
    { title: 'rows only', postProcessResponse: (answer: unknown[]) => answer[0] },
  ].map(({ title, postProcessResponse }) => ({
    title: `Knex whose postProcessResponse returns ${title}`,
    open: (connection: MySqlAddress) => {
      const db = knex({ client: 'mysql2', connection: { ...connection }, postProcessResponse });
      return { database: knexDatabase(db), close: () => db.destroy() };
    },
  })),
  ...[{ type: 'SELECT' }, { nest: true }, { plain: true }].map((query) => ({
    title: `Sequelize with ${JSON.stringify({ query })}`,
    open: ({ user, socketPath, database }: MySqlAddress) => {
      const db = new Sequelize({
        dialect: 'mysql',
        username: user,
        dialectOptions: { socketPath },
        database,
        logging: false,
        query,
      } as Options);
      return { database: sequelizeDatabase(db), close: () => db.close() };
    },
  })),
];

it('rejects what is no database of Drizzle', () => {
  const other = {
    execute: async () => [],
    transaction: <T>(work: (tx: never) => Promise<T>) => work(undefined as never),
  };
  expect(() => drizzleDatabase(other, sql)).toThrow('UNKNOWN_DIALECT');
});

it('takes no other answer for no rows', async () => {
  const db = { _activeProvider: 'postgresql', $queryRawUnsafe: async () => ({ rows: [] }) };
  const once = new Inbox().once(prismaExecutor(db), 'key', async () => {});
  await expect(once).rejects.toMatchObject({ code: 'UNEXPECTED_ROWS' });
});

describeWithPostgres('settings of libraries on PostgreSQL', () => {
  let server: Postgres;
  let pool: pg.Pool;
  beforeAll(async () => {
    server = await Postgres.start();
    pool = new pg.Pool(server.address);
    await pool.query(schemaSql());
  });
  afterAll(async () => {
    await pool?.end();
    await server?.stop();
  });
  beforeEach(async () => {
    await pool.query(`TRUNCATE ${TABLES.join(', ')}`);
  });

  describe('do not change what the kit does', () => {
    it.each(onPostgres)('$title', ({ open }) => withOpened(open(server.address), useKit));
  });
});

describeWithPostgres('a database of PostgreSQL with the encoding LATIN1', () => {
  it('parks a message whose error it cannot store, with another text', async () => {
    const server = await Postgres.start();
    const pools = [new pg.Pool(server.address), new pg.Pool({ ...server.address, database: 'narrow' })] as const;
    try {
      await pools[0].query("CREATE DATABASE narrow ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'");
      await pools[1].query(schemaSql());
      const [outbox, database] = [new Outbox(), poolDatabase(pools[1])];
      const send = () => Promise.reject(new Error('größe 拒'));
      const relay = new OutboxRelay({ outbox, database, send, maxAttempts: 1 });
      await database.transaction((tx) => outbox.add(tx, { topic: 'seats', body: 'x' }));
      await relay.runOnce();
      const parked = await database.transaction((tx) => outbox.parked(tx));
      expect(parked).toMatchObject([{ attempts: 1, lastError: 'gr\\u{f6}\\u{df}e \\u{62d2}' }]);
    } finally {
      await Promise.all(pools.map((one) => one.end()));
      await server.stop();
    }
  });
});

describeWithMySql('settings of libraries on', (product) => {
  let server: MySqlServer;
  let pool: mysql.Pool;
  beforeAll(async () => {
    server = await MySqlServer.start(product);
    pool = mysql.createPool(server.address);
    for (const statement of schemaStatements({ dialect: 'mysql' })) await pool.query(statement);
  });
  afterAll(async () => {
    await pool?.end();
    await server?.stop();
  });
  beforeEach(async () => {
    for (const table of TABLES) await pool.query(`DELETE FROM ${table}`);
  });

  describe('do not change what the kit does', () => {
    it.each(onMySql)('$title', ({ open }) => withOpened(open(server.address), useKit));
  });

  describe('that the kit cannot change are rejected before anything is written', () => {
    it.each(FORMS)('Kysely with %p', (form) => {
      const pool = mysqlWithCallbacks.createPool({ ...server.address, ...form });
      const db = new Kysely({ dialect: new MysqlDialect({ pool }) });
      return withOpened({ database: kyselyDatabase(db, kyselySql), close: () => db.destroy() }, isRejected);
    });

    it('Drizzle with rowsAsArray', () => {
      const rows = mysql.createPool({ ...server.address, rowsAsArray: true });
      return withOpened({ database: drizzleDatabase(drizzleOnMySql(rows), sql), close: () => rows.end() }, isRejected);
    });
  });
});
