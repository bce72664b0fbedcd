// Runs the examples and the migrations of docs/guide/databases.md and database-examples.md, each on a database of its own. Prisma's example needs a generated client:
// checks/pack/databases.ts runs it.

import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import knex, { type Knex } from 'knex';
import { Kysely, type Migration, Migrator, PostgresDialect } from 'kysely';
import mysql from 'mysql2/promise';
import {
  type DialectName,
  Inbox,
  LimitStore,
  Outbox,
  poolDatabase,
  Schedule,
  type SqlDatabase,
  TransactionLog,
} from 'nestjs-rocketmq/sql';
import { TestBroker } from 'nestjs-rocketmq/testing';
import pg from 'pg';
import { type QueryInterface, Sequelize } from 'sequelize';
import { SequelizeStorage, Umzug } from 'umzug';
import type { Order } from '../../docs/examples/databases/messaging.js';
import { mySqlServer, postgresServer, type UrlServer } from '../../tools/servers/database-at-port.js';
import { eventually } from '../../tools/until.js';
import { call } from '../fixtures/command-line.js';
import { describeWithMySql } from '../fixtures/mysql.js';
import { describeWithPostgres } from '../fixtures/postgres.js';

const EXAMPLES = 'docs/examples/databases';
const ORDERS = 'CREATE TABLE orders (id varchar(36) PRIMARY KEY, article varchar(255), parcels int DEFAULT 0)';

/** What an example exports. */
interface Example {
  readonly Orders: Type<{ place(order: Order): Promise<void>; pack(order: Order): Promise<void> }>;
  readonly OrdersModule: Type<unknown>;
}

/** A library: the name of its example, and its migration, as its own runner runs it. */
type Library = readonly [name: string, migrate: (url: string) => Promise<void>];

/** The file that the command line prints. */
async function printed(dialect: DialectName): Promise<string> {
  const { out } = await call(['sql', '--dialect', dialect]);
  return `${ORDERS};\n${out}`;
}

async function byFileOnPg(url: string): Promise<void> {
  const pool = new pg.Pool({ connectionString: url });
  await pool.query(await printed('postgresql'));
  await pool.end();
}

async function byFileOnMysql2(url: string): Promise<void> {
  const connection = await mysql.createConnection({ uri: url, multipleStatements: true });
  await connection.query(await printed('mysql'));
  await connection.end();
}

async function byTypeorm(): Promise<void> {
  const { dataSource } = await import('../../docs/examples/databases/typeorm.js');
  await dataSource.initialize();
  await dataSource.runMigrations();
  await dataSource.undoLastMigration();
  await dataSource.runMigrations();
  // What migration:generate and synchronize would do.
  const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
  expect(upQueries.map(({ query }) => query).join()).not.toContain('rocketmq');
  await dataSource.destroy();
}

async function byKnex(url: string): Promise<void> {
  const migration: Knex.Migration = await import('../../docs/examples/databases/migrations/knex.js');
  const migrationSource = {
    getMigrations: async () => ['001_rocketmq'],
    getMigrationName: (name: string) => name,
    getMigration: async () => migration,
  };
  const db = knex({ client: 'mysql2', connection: url, migrations: { migrationSource } });
  await db.migrate.latest();
  await db.migrate.rollback();
  await db.migrate.latest();
  await db.destroy();
}

async function byKysely(url: string): Promise<void> {
  const migration: Migration = await import('../../docs/examples/databases/migrations/kysely.js');
  const pool = new pg.Pool({ connectionString: url });
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
  const migrator = new Migrator({ db, provider: { getMigrations: async () => ({ '001_rocketmq': migration }) } });
  for (const step of ['migrateToLatest', 'migrateDown', 'migrateToLatest'] as const) {
    const { error } = await migrator[step]();
    if (error !== undefined) throw error;
  }
  await db.destroy();
}

async function byMikroOrm(): Promise<void> {
  const { ormOptions } = await import('../../docs/examples/databases/mikro-orm.js');
  const { MikroORM } = await import('@mikro-orm/postgresql');
  const logger = (): void => {};
  const orm = await MikroORM.init({ ...ormOptions, logger });
  await orm.migrator.up();
  await orm.migrator.down();
  await orm.migrator.up();
  const changes = await orm.schema.getUpdateSchemaSQL();
  await orm.close();
  const unaware = await MikroORM.init({ ...ormOptions, logger, schemaGenerator: {} });
  const losses = await unaware.schema.getUpdateSchemaSQL();
  await unaware.close();
  expect(changes).not.toContain('rocketmq');
  expect(losses).toContain('drop table if exists "rocketmq_outbox"');
}

async function bySequelize(url: string): Promise<void> {
  const { up, down } = await import('../../docs/examples/databases/migrations/sequelize.js');
  const sequelize = new Sequelize(url, { logging: false });
  const umzug = new Umzug<QueryInterface>({
    migrations: [{ name: '001_rocketmq', up, down }],
    context: sequelize.getQueryInterface(),
    storage: new SequelizeStorage({ sequelize }),
    logger: undefined,
  });
  await umzug.up();
  await umzug.down();
  await umzug.up();
  await sequelize.close();
}

/** Its entities and migrations are those of TypeORM. */
async function byTransactional(): Promise<void> {
  await import('../sql/support/cls-packages.js');
  const { dataSource } = await import('../../docs/examples/databases/transactional.js');
  await dataSource.initialize();
  await dataSource.runMigrations();
  await dataSource.destroy();
}

async function byDrizzle(url: string): Promise<void> {
  const pool = new pg.Pool({ connectionString: url });
  await migrate(drizzle(pool), { migrationsFolder: `${EXAMPLES}/drizzle/migrations` });
  await pool.end();
}

/** Each file as one script, as `prisma migrate deploy` runs it; Prisma's engine is not there. */
async function byPrisma(url: string): Promise<void> {
  const folder = `${EXAMPLES}/prisma/migrations`;
  const pool = new pg.Pool({ connectionString: url });
  for (const name of readdirSync(folder).sort())
    if (!name.includes('.')) await pool.query(readFileSync(`${folder}/${name}/migration.sql`, 'utf8'));
  await assertReady(poolDatabase(pool));
  await pool.end();
}

async function assertReady(database: SqlDatabase): Promise<void> {
  const kinds = [
    new Inbox(),
    new Outbox(),
    new Schedule(),
    new TransactionLog({ database }),
    new LimitStore({ database }),
  ];
  for (const kind of kinds) await kind.assertReady(database);
}

function librariesOn(start: () => Promise<UrlServer>, libraries: readonly Library[]): void {
  let server: UrlServer;
  let broker: TestBroker;
  beforeAll(async () => {
    [server, broker] = await Promise.all([start(), TestBroker.start()]);
    process.env.ROCKETMQ_ENDPOINTS = broker.endpoints;
  });
  afterAll(async () => {
    delete process.env.ROCKETMQ_ENDPOINTS;
    delete process.env.DATABASE_URL;
    await broker?.stop();
    await server?.stop();
  });

  it.each(libraries)('%s: one order, one message out, one in', async (name, migrateBy) => {
    const url = await server.createDatabase(name.replaceAll('-', '_'));
    process.env.DATABASE_URL = url;
    await migrateBy(url);
    const { Orders, OrdersModule }: Example = await import(`../../${EXAMPLES}/${name}.js`);
    const { DATABASE } = await import('../../docs/examples/databases/messaging.js');
    const app = await Test.createTestingModule({ imports: [OrdersModule] }).compile();
    await app.init();
    try {
      const database = app.get<SqlDatabase>(DATABASE);
      await assertReady(database);

      const order = { id: `order-${name}`, article: 'lamp' };
      const sent = (topic: string) => broker.messages(topic).filter(({ keys }) => keys.includes(order.id)).length;
      await app.get(Orders).place(order);
      await eventually(
        () => sent('order-packed'),
        (count) => count > 0,
      );
      await app.get(Orders).pack(order);
      await expect(app.get(Orders).place(order)).rejects.toThrow();
      await broker.idle();
      const { rows } = await database.transaction((tx) => tx.query('SELECT parcels FROM orders', []));
      expect({ rows, placed: sent('order-placed'), packed: sent('order-packed') }).toEqual({
        rows: [{ parcels: 1 }],
        placed: 1,
        packed: 1,
      });
    } finally {
      await app.close();
    }
  });
}

describeWithMySql('the examples of databases on', (product) => {
  librariesOn(
    () => mySqlServer(product),
    [
      ['knex', byKnex],
      ['sequelize', bySequelize],
      ['mysql2', byFileOnMysql2],
    ],
  );
});

describeWithPostgres('the examples of databases on PostgreSQL', () => {
  librariesOn(postgresServer, [
    ['typeorm', byTypeorm],
    ['transactional', byTransactional],
    ['kysely', byKysely],
    ['mikro-orm', byMikroOrm],
    ['drizzle', byDrizzle],
    ['pg', byFileOnPg],
  ]);

  it('prisma: its migrations create the tables', async () => {
    const server = await postgresServer();
    try {
      await byPrisma(await server.createDatabase('prisma'));
    } finally {
      await server.stop();
    }
  });
});
