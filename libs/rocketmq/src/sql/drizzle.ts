// The port on a Drizzle database of PostgreSQL, MySQL or MariaDB. Structurally typed, so that Drizzle is not a dependency of this package.

import { tagged, templateOf } from './placeholders.js';
import type { DialectName, SqlDatabase, SqlExecutor } from './sql-port.js';

/** Drizzle's `sql` tag. */
export type DrizzleSqlTag = (strings: TemplateStringsArray, ...parameters: never[]) => unknown;

/** A Drizzle database or transaction. */
export interface DrizzleExecutor {
  execute(query: never): PromiseLike<unknown>;
}

/** A Drizzle database. */
export interface DrizzleDatabase {
  transaction<T>(work: (tx: DrizzleExecutor) => Promise<T>): Promise<T>;
}

/** A Drizzle transaction, or a database outside of one, as the port. Pass Drizzle's own `sql`. */
export function drizzleExecutor(tx: DrizzleExecutor, sql: DrizzleSqlTag): SqlExecutor {
  const dialect = dialectOf(tx);
  return {
    dialect,
    query: async (text, parameters) => {
      const result = await tx.execute(tagged(sql, templateOf(text, parameters, dialect)) as never);
      // mysql2 returns the rows, or what a change did, beside a description of the columns.
      if (dialect === 'mysql') {
        const [rows] = result as readonly unknown[];
        return { rows: Array.isArray(rows) ? rows : [] };
      }
      // postgres-js returns the rows themselves, the other drivers an object that contains them.
      if (Array.isArray(result)) return { rows: result as object[] };
      return { rows: (result as { readonly rows: readonly object[] }).rows };
    },
  };
}

/** A Drizzle database as the port. Pass Drizzle's own `sql`. */
export function drizzleDatabase(database: DrizzleDatabase, sql: DrizzleSqlTag): SqlDatabase {
  const dialect = dialectOf(database);
  return { dialect, transaction: (work) => database.transaction((tx) => work(drizzleExecutor(tx, sql))) };
}

/** Drizzle names its classes by this symbol, which all copies of the package share. */
const KIND = Symbol.for('drizzle:entityKind');

function dialectOf(database: object): DialectName {
  for (let type: Named | null = database.constructor as Named; type !== null; type = Object.getPrototypeOf(type)) {
    if (type[KIND]?.startsWith('MySql')) return 'mysql';
  }
  return 'postgresql';
}

interface Named {
  readonly [KIND]?: string;
}
