// The database of a demo: PostgreSQL if its address is set, otherwise PGlite in a locked folder or in memory. Opening it runs the
// migrations.

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
import type { DatabaseOptions, OpenedDatabase, Schema } from './opened-database.js';
import { openPglite } from './pglite.js';
import { openPostgres } from './postgres.js';

/** A transaction of a {@link DemoDatabase}. Use only this inside it: PGlite has a single connection, and a pool can be exhausted. */
export type TransactionOf<TSchema extends Schema> = Parameters<
  Parameters<PgDatabase<PgQueryResultHKT, TSchema>['transaction']>[0]
>[0];

/** An open database. As a provider it is closed after all consumers have stopped. */
export class DemoDatabase<TSchema extends Schema> implements OnApplicationShutdown {
  private closed: Promise<void> | undefined;

  private constructor(private readonly opened: OpenedDatabase<TSchema>) {}

  /**
   * Opens a database and runs its migrations.
   * @throws FolderLockedError if another process uses the folder
   */
  static async open<TSchema extends Schema>(options: DatabaseOptions<TSchema>): Promise<DemoDatabase<TSchema>> {
    const { url } = options;
    return new DemoDatabase(url === undefined ? await openPglite(options) : await openPostgres({ ...options, url }));
  }

  get db(): PgDatabase<PgQueryResultHKT, TSchema> {
    return this.opened.db;
  }

  /** The database, in the form that the library's transaction log and inbox use. */
  get port(): SqlDatabase {
    return drizzleDatabase(this.db, sql);
  }

  /** A transaction, in the form that the library's transaction log and inbox use. */
  portOf(tx: TransactionOf<TSchema>): SqlExecutor {
    return drizzleExecutor(tx, sql);
  }

  /** Runs `work` in a transaction, and again if PostgreSQL aborted it because of a deadlock. */
  transaction<T>(work: (tx: TransactionOf<TSchema>) => Promise<T>): Promise<T> {
    return retryTransaction(() => this.db.transaction(work));
  }

  onApplicationShutdown(): Promise<void> {
    return this.close();
  }

  /** Closes the database. Idempotent. */
  close(): Promise<void> {
    this.closed ??= this.opened.close();
    return this.closed;
  }
}
