// The port on a Drizzle database of PostgreSQL, MySQL or MariaDB. Structurally typed, so that Drizzle is not a dependency of this package.

import { UsageError } from '../../support/errors.js';
import { rowsOf } from '../rows.js';
import { alone, type DialectName, type SqlDatabase, type SqlExecutor } from '../sql-port.js';
import { tagged, templateOf } from './placeholders.js';

/** Drizzle's `sql` tag. */
export type DrizzleSqlTag = (strings: TemplateStringsArray, ...parameters: never[]) => unknown;

/** A Drizzle database or transaction. */
export interface DrizzleExecutor {
  execute(query: never): PromiseLike<unknown>;
}

/** A Drizzle database. */
export interface DrizzleDatabase extends DrizzleExecutor {
  transaction<T>(work: (tx: DrizzleExecutor) => Promise<T>): Promise<T>;
}

/** A Drizzle transaction, or a database outside of one, as the port. Pass Drizzle's own `sql`. @throws UsageError `UNKNOWN_DIALECT` */
export function drizzleExecutor(tx: DrizzleExecutor, sql: DrizzleSqlTag): SqlExecutor {
  const dialect = dialectOf(tx);
  return {
    dialect,
    query: async (text, parameters) => {
      const result = await tx.execute(tagged(sql, templateOf(text, parameters, dialect)) as never);
      // mysql2 returns the rows, or what a change did, beside a description of the columns.
      if (dialect === 'mysql') {
        const [rows] = result as readonly unknown[];
        return { rows: rowsOf(rows, dialect, text) };
      }
      // postgres-js returns the rows themselves, the other drivers an object that contains them.
      const rows = Array.isArray(result) ? result : (result as { readonly rows?: unknown } | undefined)?.rows;
      return { rows: rowsOf(rows, dialect, text) };
    },
  };
}

/** A Drizzle database as the port. Pass Drizzle's own `sql`. @throws UsageError `UNKNOWN_DIALECT` */
export function drizzleDatabase(database: DrizzleDatabase, sql: DrizzleSqlTag): SqlDatabase {
  const { dialect, query } = drizzleExecutor(database, sql);
  return {
    dialect,
    transaction: (work) => database.transaction((tx) => work(drizzleExecutor(tx, sql))),
    ...alone(dialect, query),
  };
}

/** Drizzle names its classes by this symbol, which all copies of the package share. */
const KIND = Symbol.for('drizzle:entityKind');

/** @throws UsageError `UNKNOWN_DIALECT` */
function dialectOf(database: object): DialectName {
  // A database with replicas is a plain object around the one that it writes to.
  const { $primary: primary } = database as { readonly $primary?: object };
  for (const kind of kindsOf(primary ?? database)) {
    if (kind.startsWith('MySql')) return 'mysql';
    if (kind.startsWith('Pg')) return 'postgresql';
  }
  const text =
    'this is no database or transaction of Drizzle for PostgreSQL, MySQL or MariaDB, so the kit does not know which statements it ' +
    'understands; nothing was done. Pass the object that drizzle() returns, or the one that db.transaction() passes to its callback';
  throw new UsageError('UNKNOWN_DIALECT', text, 'database');
}

function kindsOf(database: object): string[] {
  const kinds: string[] = [];
  for (
    let type: Named | null = (database.constructor as Named | undefined) ?? null;
    type !== null;
    type = Object.getPrototypeOf(type)
  ) {
    const { [KIND]: kind } = type;
    if (typeof kind === 'string') kinds.push(kind);
  }
  return kinds;
}

interface Named {
  readonly [KIND]?: string;
}
