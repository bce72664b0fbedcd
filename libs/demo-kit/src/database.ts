// The database of a demo: a PostgreSQL, MySQL or MariaDB if its address is set, otherwise PGlite in a locked folder or in memory.
// Opening it runs the migrations.

import type { OnApplicationShutdown } from '@nestjs/common';
import { CamelCasePlugin, Kysely, sql, type Transaction } from 'kysely';
import {
  kyselyDatabase,
  kyselyExecutor,
  retryTransaction,
  type SqlDatabase,
  type SqlExecutor,
} from 'nestjs-rocketmq/sql';
import { flavorOf } from './database-url.js';
import { migrate } from './migrations.js';
import { openMysql } from './mysql.js';
import { type DatabaseOptions, type OpenedDatabase, SKIP_EXISTING, type SkipExisting } from './opened-database.js';
import { openPglite } from './pglite.js';
import { openPostgres } from './postgres.js';

/** An open database. As a provider it is closed after all consumers have stopped. */
export class DemoDatabase<Tables> implements OnApplicationShutdown {
  /** For queries outside of transactions. `orderId` here is the column `order_id`. */
  readonly db: Kysely<Tables>;
  /** Lets an INSERT skip rows whose keys exist, which each kind of database writes differently. */
  readonly skipExisting: SkipExisting;
  private closed: Promise<void> | undefined;

  private constructor(
    /** The library needs the names of its columns as they are. */
    private readonly plain: Kysely<Tables>,
    { flavor }: OpenedDatabase,
  ) {
    this.db = plain.withPlugin(new CamelCasePlugin());
    this.skipExisting = SKIP_EXISTING[flavor];
  }

  /**
   * Opens a database and runs its migrations.
   * @throws FolderLockedError if another process uses the folder
   * @throws ConfigurationError if the URL is not that of a supported database
   */
  static async open<Tables>(options: DatabaseOptions): Promise<DemoDatabase<Tables>> {
    const opened = await openOne(options);
    const plain = new Kysely<Tables>({ dialect: opened.dialect });
    try {
      await migrate(plain, opened.flavor, options);
    } catch (error) {
      await plain.destroy();
      throw error;
    }
    return new DemoDatabase(plain, opened);
  }

  /** The database, in the form that the library's transaction log and inbox use. */
  get port(): SqlDatabase {
    return kyselyDatabase(this.plain, sql);
  }

  /** A transaction, in the form that the library's transaction log and inbox use. */
  portOf(tx: Transaction<Tables>): SqlExecutor {
    return kyselyExecutor(tx.withoutPlugins(), sql);
  }

  /**
   * Runs `work` in a transaction, and again if the database aborted it because of a conflict with another one. Use only `tx` inside it:
   * PGlite has a single connection, and a pool can be exhausted.
   */
  transaction<T>(work: (tx: Transaction<Tables>) => Promise<T>): Promise<T> {
    return retryTransaction(() => this.db.transaction().execute(work));
  }

  onApplicationShutdown(): Promise<void> {
    return this.close();
  }

  /** Closes the database after the running transactions. Idempotent. */
  close(): Promise<void> {
    this.closed ??= this.plain.destroy();
    return this.closed;
  }
}

async function openOne({ name, url, folder }: DatabaseOptions): Promise<OpenedDatabase> {
  if (url === undefined) return openPglite(folder);
  return flavorOf(url) === 'postgresql' ? openPostgres(name, url) : openMysql(name, url);
}
