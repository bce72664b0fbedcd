// What the kinds of databases of a demo have in common, and the one thing in which their SQL differs.

import type { Dialect, InsertQueryBuilder } from 'kysely';

export interface DatabaseOptions {
  /** The name of the demo. A server shows it beside its connections. */
  readonly name: string;
  /** `postgres://`, `mysql://` or `mariadb://user:password@host/database`; undefined uses PGlite. */
  readonly url?: string;
  /** The data folder of PGlite; undefined keeps the data in memory. */
  readonly folder: string | undefined;
  /** The folder with a subfolder of migrations for each {@link SqlFlavor}. */
  readonly migrationsFolder: string;
}

/** The most connections of a process. */
export const MAX_CONNECTIONS = 20;
/** Connecting to a server that does not respond fails after this time. */
export const CONNECT_TIMEOUT_MS = 5_000;

/** Which SQL a database understands. */
export type SqlFlavor = 'postgresql' | 'mysql';

/** The result of opening a database. Kysely closes it. */
export interface OpenedDatabase {
  readonly flavor: SqlFlavor;
  readonly dialect: Dialect;
}

/**
 * Lets an INSERT skip rows whose keys exist: `insertInto(…).values(…).$call(skipExisting)`. The rows must be valid, because MySQL then skips
 * or changes invalid ones, too, instead of failing.
 */
export type SkipExisting = <Tables, Table extends keyof Tables, Result>(
  insert: InsertQueryBuilder<Tables, Table, Result>,
) => InsertQueryBuilder<Tables, Table, Result>;

export const SKIP_EXISTING: Readonly<Record<SqlFlavor, SkipExisting>> = {
  postgresql: (insert) => insert.onConflict((conflict) => conflict.doNothing()),
  mysql: (insert) => insert.ignore(),
};
