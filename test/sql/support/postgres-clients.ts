// A PostgreSQL server with clients: pg and Drizzle on one pool, and TypeORM.

import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import { DataSource, type EntitySchema } from 'typeorm';
import { Postgres, type PostgresAddress } from '../../fixtures/postgres.js';

export interface PostgresClientsOptions {
  /** SQL that creates the tables. */
  readonly tables: string;
  /** Entities for TypeORM. Default: none. */
  readonly entities?: EntitySchema[];
}

/** Starts a server. Stop it after use. */
export class PostgresClients {
  readonly pool: pg.Pool;
  readonly dataSource: DataSource;
  readonly drizzle: NodePgDatabase;

  private constructor(
    private readonly postgres: Postgres,
    entities: EntitySchema[],
  ) {
    const { user: username, ...address } = postgres.address;
    this.pool = new pg.Pool(postgres.address);
    this.drizzle = drizzle(this.pool);
    this.dataSource = new DataSource({ type: 'postgres', ...address, username, entities });
  }

  static async start({ tables, entities = [] }: PostgresClientsOptions): Promise<PostgresClients> {
    const clients = new PostgresClients(await Postgres.start(), entities);
    try {
      await clients.dataSource.initialize();
      await clients.pool.query(tables);
      return clients;
    } catch (error) {
      await clients.stop();
      throw error;
    }
  }

  get address(): PostgresAddress {
    return this.postgres.address;
  }

  async stop(): Promise<void> {
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
    await this.pool.end();
    await this.postgres.stop();
  }
}
