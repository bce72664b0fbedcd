// What the drivers of a demo's database have in common.

import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';

export type Schema = Record<string, unknown>;

export interface DatabaseOptions<TSchema extends Schema> {
  /** The name of the demo. In PostgreSQL also the name of its migrations table. */
  readonly name: string;
  /** `postgres://user:password@host/database`; undefined uses PGlite. */
  readonly url?: string;
  /** The data folder of PGlite; undefined keeps the data in memory. */
  readonly folder: string | undefined;
  readonly schema: TSchema;
  /** The folder with the migrations that drizzle-kit generated. */
  readonly migrationsFolder: string;
}

/** The result of opening a driver. */
export interface OpenedDatabase<TSchema extends Schema> {
  readonly db: PgDatabase<PgQueryResultHKT, TSchema>;
  close(): Promise<void>;
}
