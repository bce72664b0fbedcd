// A PostgreSQL server, reached by a pool of connections. Several processes may use one database.

import { Logger } from '@nestjs/common';
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
import type { DatabaseOptions, OpenedDatabase, Schema } from './database.js';

const CONNECTIONS = 20;
/** A server that does not answer is an error, not a wait without end. */
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
  // An idle connection that is lost would end the process if nobody listened. The pool makes a new one.
  pool.on('error', (error) => new Logger('Postgres').warn(`a connection was lost: ${error.message}`));
  try {
    await migrateOnce(pool, options);
  } catch (error) {
    await pool.end();
    throw error;
  }
  return { db: drizzle(pool, { schema }), close: () => pool.end() };
}

/** Two processes that make the same table at once do not agree on who made it. */
async function migrateOnce(pool: pg.Pool, { name, migrationsFolder }: DatabaseOptions<Schema>): Promise<void> {
  const client = await pool.connect();
  try {
    const db = drizzle(client);
    await db.execute(sql`select pg_advisory_lock(${MIGRATION_LOCK})`);
    // A table for each app: with one for both, each would take the other's migrations for its own.
    await migrate(db, { migrationsFolder, migrationsTable: name });
  } finally {
    // The lock ends with the connection, whatever state that is in.
    client.release(true);
  }
}
