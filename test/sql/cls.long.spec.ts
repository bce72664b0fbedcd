// nestjs-rocketmq/sql with @nestjs-cls/transactional: TypeORM and Drizzle, on PostgreSQL, PGlite, MySQL and MariaDB.

import type { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe } from '@jest/globals';
import { createPglite } from 'demo-kit';
import { sql } from 'drizzle-orm';
import { drizzle, type PgliteDatabase } from 'drizzle-orm/pglite';
import { drizzleDatabase, drizzleExecutor, typeormDatabase, typeormExecutor } from 'nestjs-rocketmq/sql';
import { DataSource } from 'typeorm';
import { hasMySql } from '../../tools/servers/mysql-server.js';
import { MYSQL_TABLES, TABLES } from '../../tools/servers/sql-databases.js';
import { describeWithMySql, MySqlServer } from '../fixtures/mysql.js';
import { describeWithPostgres } from '../fixtures/postgres.js';
import { TransactionalAdapterDrizzleOrm, TransactionalAdapterTypeOrm } from './support/cls-packages.js';
import { clsSuite } from './support/cls-suite.js';
import { PostgresClients } from './support/postgres-clients.js';

const typeorm = (opened: () => DataSource) => ({
  adapter: (dataSourceToken: symbol) => new TransactionalAdapterTypeOrm({ dataSourceToken }),
  connection: opened,
  executor: typeormExecutor,
  port: () => typeormDatabase(opened()),
});

describeWithPostgres('transactions of TypeORM on PostgreSQL', () => {
  let clients: PostgresClients;
  beforeAll(async () => {
    clients = await PostgresClients.start({ tables: TABLES });
  });
  afterAll(() => clients?.stop());
  clsSuite(typeorm(() => clients.dataSource));
});

// What the products differ in, the suites of record() and of ports show.
describeWithMySql(
  'transactions of TypeORM on',
  (product) => {
    let server: MySqlServer;
    let dataSource: DataSource;
    beforeAll(async () => {
      server = await MySqlServer.start(product);
      const { user: username, ...address } = server.address;
      dataSource = new DataSource({ type: product === 'MySQL' ? 'mysql' : 'mariadb', ...address, username });
      await dataSource.initialize();
      for (const statement of MYSQL_TABLES) await dataSource.query(statement);
    });
    afterAll(async () => {
      await dataSource?.destroy();
      await server?.stop();
    });
    clsSuite(typeorm(() => dataSource));
  },
  [hasMySql('MySQL') ? 'MySQL' : 'MariaDB'],
);

describe('transactions of Drizzle on PGlite, which has one connection', () => {
  let database: PGlite;
  let db: PgliteDatabase;
  beforeAll(async () => {
    database = await createPglite();
    await database.exec(TABLES);
    db = drizzle(database);
  });
  afterAll(() => database?.close());
  clsSuite({
    adapter: (drizzleInstanceToken) =>
      // Of no options the adapter makes `set transaction` without an end.
      new TransactionalAdapterDrizzleOrm({ drizzleInstanceToken, defaultTxOptions: { accessMode: 'read write' } }),
    connection: () => db,
    executor: (tx) => drizzleExecutor(tx, sql),
    port: () => drizzleDatabase(db, sql),
    hasOneConnection: true,
  });
});
