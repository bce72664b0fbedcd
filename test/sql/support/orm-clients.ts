// Knex, Kysely, Sequelize, MikroORM and Prisma on one database, and what the suite of ports needs of each.

import { EntitySchema } from '@mikro-orm/core';
import { MikroORM as MySqlOrm } from '@mikro-orm/mysql';
import { MikroORM as PostgreSqlOrm } from '@mikro-orm/postgresql';
import knex, { type Knex } from 'knex';
import { Kysely, MysqlDialect, PostgresDialect, sql } from 'kysely';
import mysql from 'mysql2';
import {
  knexDatabase,
  knexExecutor,
  kyselyDatabase,
  kyselyExecutor,
  mikroOrmDatabase,
  mikroOrmExecutor,
  prismaDatabase,
  prismaExecutor,
  sequelizeDatabase,
  sequelizeExecutor,
} from 'nestjs-rocketmq/sql';
import pg from 'pg';
import { DataTypes, Sequelize } from 'sequelize';
import type { MySqlAddress } from '../../../tools/servers/mysql-server.js';
import type { PostgresAddress } from '../../fixtures/postgres.js';
import type { PortKind } from './port-suite.js';
import { type Prisma, prismaOnMySql, prismaOnPostgres } from './prisma-clients.js';

const Seat = new EntitySchema<{ name: string }>({
  name: 'Seat',
  tableName: 'seat',
  properties: { name: { type: 'string', primary: true } },
});

interface Clients {
  readonly knex: Knex;
  readonly prisma: Prisma;
  readonly kysely: Kysely<{ seat: { name: string } }>;
  readonly sequelize: Sequelize;
  readonly orm: Pick<MySqlOrm, 'em' | 'close'> | Pick<PostgreSqlOrm, 'em' | 'close'>;
}

/** Close it after use. */
export class OrmClients {
  private constructor(readonly clients: Clients) {
    clients.sequelize.define('Seat', { name: { type: DataTypes.STRING, primaryKey: true } }, TABLE);
  }

  static async onPostgres(address: PostgresAddress): Promise<OrmClients> {
    const { user, host, database } = address;
    const orm = await PostgreSqlOrm.init({ user, host, dbName: database, entities: [Seat] });
    return new OrmClients({
      prisma: prismaOnPostgres(address),
      knex: knex({ client: 'pg', connection: { ...address } }),
      kysely: new Kysely({ dialect: new PostgresDialect({ pool: new pg.Pool(address) }) }),
      sequelize: new Sequelize({ dialect: 'postgres', username: user, host, database, logging: false }),
      orm,
    });
  }

  static async onMySql(address: MySqlAddress): Promise<OrmClients> {
    const { user, database, socketPath } = address;
    const connection = { socketPath };
    const orm = await MySqlOrm.init({ user, dbName: database, driverOptions: { connection }, entities: [Seat] });
    return new OrmClients({
      prisma: prismaOnMySql(address),
      knex: knex({ client: 'mysql2', connection: address }),
      kysely: new Kysely({ dialect: new MysqlDialect({ pool: mysql.createPool(address) }) }),
      sequelize: new Sequelize({
        dialect: 'mysql',
        username: user,
        database,
        dialectOptions: connection,
        logging: false,
      }),
      orm,
    });
  }

  async close(): Promise<void> {
    const { knex, kysely, sequelize, orm, prisma } = this.clients;
    await Promise.all([prisma.$disconnect(), knex.destroy(), kysely.destroy(), sequelize.close(), orm.close()]);
  }
}

const TABLE = { tableName: 'seat', timestamps: false };

/** @param opened the clients, which are there when a test runs */
export function ormKinds(opened: () => OrmClients): PortKind[] {
  const clients = (): Clients => opened().clients;
  return [
    [
      'Knex',
      () => knexDatabase(clients().knex),
      (work) =>
        clients().knex.transaction((trx) => work(knexExecutor(trx), async () => trx('seat').insert({ name: '1A' }))),
    ],
    [
      'Kysely',
      () => kyselyDatabase(clients().kysely, sql),
      (work) =>
        clients()
          .kysely.transaction()
          .execute((trx) =>
            work(kyselyExecutor(trx, sql), () => trx.insertInto('seat').values({ name: '1A' }).execute()),
          ),
    ],
    [
      'Prisma',
      () => prismaDatabase(clients().prisma),
      (work) =>
        clients().prisma.$transaction((tx) =>
          work(prismaExecutor(tx), async () => tx.$queryRawUnsafe("INSERT INTO seat VALUES ('1A')")),
        ),
    ],
    [
      'Sequelize',
      () => sequelizeDatabase(clients().sequelize),
      (work) =>
        clients().sequelize.transaction((transaction) =>
          work(sequelizeExecutor(transaction), async () =>
            clients().sequelize.model('Seat').create({ name: '1A' }, { transaction }),
          ),
        ),
    ],
    [
      'MikroORM',
      () => mikroOrmDatabase(clients().orm.em),
      (work) =>
        clients()
          .orm.em.fork()
          .transactional((em) => work(mikroOrmExecutor(em), () => em.insert(Seat, { name: '1A' }))),
    ],
  ];
}

/** How the migrations of each library run a statement. */
export function migrationKinds(
  opened: () => OrmClients,
): [name: string, run: (statement: string) => Promise<unknown>][] {
  const clients = (): Clients => opened().clients;
  return [
    ['Knex', async (statement) => clients().knex.raw(statement)],
    ['Kysely', (statement) => sql.raw(statement).execute(clients().kysely)],
    ['Sequelize', (statement) => clients().sequelize.query(statement)],
    ['MikroORM', (statement) => clients().orm.em.getDriver().execute(statement)],
  ];
}
