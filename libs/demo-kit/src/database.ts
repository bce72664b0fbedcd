// The database of a demo, with its migrations run: PostgreSQL where its address is given, else PGlite in a locked folder, or in
// memory.

import type { OnApplicationShutdown } from '@nestjs/common';
import { sql } from 'drizzle-orm';
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';
import {
  drizzleDatabase,
  drizzleExecutor,
  retryTransaction,
  type SqlDatabase,
  type SqlExecutor,
} from 'nestjs-rocketmq/sql';
import { openPglite } from './pglite.js';
import { openPostgres } from './postgres.js';

export interface DatabaseOptions<TSchema extends Schema> {
  /** Whose database it is. In PostgreSQL it names the table of the migrations. */
  readonly name: string;
  /** `postgres://user:password@host/database`; undefined takes PGlite. */
  readonly url?: string;
  /** Where PGlite keeps the data; undefined keeps them in memory. */
  readonly folder: string | undefined;
  readonly schema: TSchema;
  /** The folder that drizzle-kit writes. */
  readonly migrationsFolder: string;
}

export type Schema = Record<string, unknown>;

/** A transaction of a {@link DemoDatabase}. Inside of one use nothing else: PGlite has a single connection, and a pool runs dry. */
export type TransactionOf<TSchema extends Schema> = Parameters<
  Parameters<PgDatabase<PgQueryResultHKT, TSchema>['transaction']>[0]
>[0];

/** What a driver opens. */
export interface OpenedDatabase<TSchema extends Schema> {
  readonly db: PgDatabase<PgQueryResultHKT, TSchema>;
  close(): Promise<void>;
}

/** An open database. As a provider it closes after all consumers have ended. */
export class DemoDatabase<TSchema extends Schema> implements OnApplicationShutdown {
  private closed: Promise<void> | undefined;

  private constructor(private readonly opened: OpenedDatabase<TSchema>) {}

  /**
   * Opens a database and brings it up to date.
   * @throws FolderLockedError when another process has the folder
   */
  static async open<TSchema extends Schema>(options: DatabaseOptions<TSchema>): Promise<DemoDatabase<TSchema>> {
    const { url } = options;
    return new DemoDatabase(url === undefined ? await openPglite(options) : await openPostgres({ ...options, url }));
  }

  get db(): PgDatabase<PgQueryResultHKT, TSchema> {
    return this.opened.db;
  }

  /** What the library's transaction log and inbox work on. */
  get port(): SqlDatabase {
    return drizzleDatabase(this.db, sql);
  }

  /** A transaction as the library's transaction log and inbox take it. */
  portOf(tx: TransactionOf<TSchema>): SqlExecutor {
    return drizzleExecutor(tx, sql);
  }

  /** Runs `work` as a transaction; and again, when PostgreSQL has given it up for another one (a deadlock). */
  transaction<T>(work: (tx: TransactionOf<TSchema>) => Promise<T>): Promise<T> {
    return retryTransaction(() => this.db.transaction(work));
  }

  onApplicationShutdown(): Promise<void> {
    return this.close();
  }

  /** Closes it. Repeating it waits for the same end. */
  close(): Promise<void> {
    this.closed ??= this.opened.close();
    return this.closed;
  }
}
