// The databases of these tests, opened by a test and by the processes that it starts.

import { createPglite } from 'demo-kit';
import mysql from 'mysql2/promise';
import { mysql2Database, poolDatabase, type SqlDatabase, schemaSql, schemaStatements } from 'nestjs-rocketmq/sql';
import pg from 'pg';
import type { MySqlAddress } from './mysql-server.js';
import type { PostgresAddress } from './postgres-server.js';

/** The location of a database. */
export type DatabasePlace =
  | { readonly kind: 'pglite'; readonly folder: string }
  | { readonly kind: 'postgres'; readonly address: PostgresAddress }
  | { readonly kind: 'mysql'; readonly address: MySqlAddress };

export interface OpenDatabase {
  readonly port: SqlDatabase;
  close(): Promise<void>;
}

/** Creates a table for orders and the tables of the library. */
export const TABLES = `${schemaSql()} CREATE TABLE IF NOT EXISTS orders (id text PRIMARY KEY);`;

/** The same for MySQL and MariaDB, one statement after another. */
export const MYSQL_TABLES = [
  ...schemaStatements({ dialect: 'mysql' }),
  'CREATE TABLE IF NOT EXISTS orders (id varchar(100) PRIMARY KEY)',
];

/** Opens it, with {@link TABLES}. */
export async function openDatabase(place: DatabasePlace): Promise<OpenDatabase> {
  if (place.kind === 'pglite') {
    const database = await createPglite(place.folder);
    await database.exec(TABLES);
    return { port: database, close: () => database.close() };
  }
  if (place.kind === 'mysql') {
    const pool = mysql.createPool({ ...place.address, connectionLimit: 10 });
    for (const statement of MYSQL_TABLES) await pool.query(statement);
    return { port: mysql2Database(pool), close: () => pool.end() };
  }
  const pool = new pg.Pool(place.address);
  // Creating the same table in two processes at once fails.
  await pool.query(`SELECT pg_advisory_lock(1); ${TABLES} SELECT pg_advisory_unlock(1)`);
  return { port: poolDatabase(pool), close: () => pool.end() };
}

/** One column of a query result. */
export async function column(port: SqlDatabase, text: string): Promise<string[]> {
  const { rows } = await port.transaction((tx) => tx.query(text, []));
  return rows.map((row) => String(Object.values(row)[0]));
}
