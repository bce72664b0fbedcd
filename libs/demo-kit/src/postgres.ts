// A PostgreSQL server with a connection pool. Several processes can use one database.

import { Logger } from '@nestjs/common';
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
import type { DatabaseOptions, OpenedDatabase, Schema } from './opened-database.js';

const CONNECTIONS = 20;
/** Connecting to a server that does not respond fails after this time. */
const CONNECT_TIMEOUT_MS = 5_000;
/** Any number, the same in all processes. */
const MIGRATION_LOCK = 8_081;

/** Opens a pool and runs the migrations, one process at a time. */
export async function openPostgres<TSchema extends Schema>(
  options: DatabaseOptions<TSchema> & { readonly url: string },
): Promise<OpenedDatabase<TSchema>> {
  const { name, url, schema } = options;
  const pool = new pg.Pool({
    connectionString: url,
    application_name: name,
    max: CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  // Without a listener, the loss of an idle connection would end the process. The pool creates a new one.
  pool.on('error', (error) => new Logger('Postgres').warn(`a connection was lost: ${error.message}`));
  try {
    await migrateOnce(pool, options);
  } catch (error) {
    await pool.end();
    throw error;
  }
  return { db: drizzle(pool, { schema }), close: () => pool.end() };
}

/** Creating the same table in two processes at once fails, so the migrations run under a lock. */
async function migrateOnce(pool: pg.Pool, { name, migrationsFolder }: DatabaseOptions<Schema>): Promise<void> {
  const client = await pool.connect();
  try {
    const db = drizzle(client);
    await db.execute(sql`select pg_advisory_lock(${MIGRATION_LOCK})`);
    // Each app has its own migrations table; with a common one, each would treat the other's migrations as its own.
    await migrate(db, { migrationsFolder, migrationsTable: name });
  } finally {
    // Closing the connection releases the lock, whatever its state.
    client.release(true);
  }
}
