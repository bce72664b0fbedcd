// The database of a demo: PGlite in a locked folder, or in memory, with its migrations run.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import type { OnApplicationShutdown } from '@nestjs/common';
import { sql } from 'drizzle-orm';
import { drizzle, type PgliteDatabase } from 'drizzle-orm/pglite';
import { migrate } from 'drizzle-orm/pglite/migrator';
import { drizzleDatabase, drizzleExecutor, type SqlDatabase, type SqlExecutor } from 'nestjs-rocketmq/sql';
import { type FolderLock, lockFolder } from './folder-lock.js';

export interface DatabaseOptions<TSchema extends Schema> {
  /** Where the data are kept; undefined keeps them in memory. */
  readonly folder: string | undefined;
  readonly schema: TSchema;
  /** The folder that drizzle-kit writes. */
  readonly migrationsFolder: string;
}

type Schema = Record<string, unknown>;

/** A transaction of a {@link DemoDatabase}. Inside of one use nothing else: PGlite has a single connection. */
export type TransactionOf<TSchema extends Schema> = Parameters<
  Parameters<PgliteDatabase<TSchema>['transaction']>[0]
>[0];

/** An open database. As a provider it closes after all consumers have ended. */
export class DemoDatabase<TSchema extends Schema> implements OnApplicationShutdown {
  private closed: Promise<void> | undefined;

  private constructor(
    readonly db: PgliteDatabase<TSchema>,
    private readonly client: PGlite,
    private readonly lock: FolderLock | undefined,
  ) {}

  /**
   * Opens a database and brings it up to date.
   * @throws FolderLockedError when another process has the folder
   */
  static async open<TSchema extends Schema>(options: DatabaseOptions<TSchema>): Promise<DemoDatabase<TSchema>> {
    const { folder, schema, migrationsFolder } = options;
    const lock = folder === undefined ? undefined : lockFolder(folder);
    let client: PGlite | undefined;
    try {
      client = await PGlite.create(folder === undefined ? {} : { dataDir: dataDirIn(folder) });
      const db = drizzle(client, { schema });
      await migrate(db, { migrationsFolder });
      return new DemoDatabase(db, client, lock);
    } catch (error) {
      await client?.close();
      lock?.release();
      throw error;
    }
  }

  /** What the library's transaction log and inbox work on. */
  get port(): SqlDatabase {
    return drizzleDatabase(this.db, sql);
  }

  /** A transaction as the library's transaction log and inbox take it. */
  portOf(tx: TransactionOf<TSchema>): SqlExecutor {
    return drizzleExecutor(tx, sql);
  }

  transaction<T>(work: (tx: TransactionOf<TSchema>) => Promise<T>): Promise<T> {
    return this.db.transaction(work);
  }

  onApplicationShutdown(): Promise<void> {
    return this.close();
  }

  /** Closes it and lets the next process into its folder. Repeating it waits for the same end. */
  close(): Promise<void> {
    this.closed ??= this.client.close().finally(() => this.lock?.release());
    return this.closed;
  }
}

/** Beside the lock, since PGlite wants a folder of its own. */
function dataDirIn(folder: string): string {
  const dataDir = join(folder, 'postgres');
  mkdirSync(dataDir, { recursive: true });
  return dataDir;
}
