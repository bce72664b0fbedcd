// Where the instances of a consumer group count together. What is stored, and what follows from it, is up to the consumers.

import { LOG_TO, type Logger, silentLogger, unfailing } from '../support/logger.js';
import { dialectOf } from './dialects.js';
import { isTransactionConflict } from './log/retry-transaction.js';
import { assertReady, checkAtStart } from './readiness.js';
import { DEFAULT_TABLES } from './schema.js';
import type { SqlDatabase } from './sql-port.js';
import { tableName } from './table-name.js';

/** The options of `LimitStore`. */
export interface LimitStoreOptions {
  /** The database of all instances. Its clock is that of the limits. */
  readonly database: SqlDatabase;
  /** The name of the table. Default `rocketmq_limit`. */
  readonly tableName?: string;
}

/**
 * Keeps the limits of listeners over all instances of their group, `groupConcurrency` and `rateLimit` with `scope: 'group'`, for the module option
 * `limitStore`: one row for each limit of a listener.
 * Applications on different clusters need different tables.
 */
export class LimitStore {
  private readonly database: SqlDatabase;
  private readonly table: string;
  private logger: Logger = silentLogger;

  /** @throws UsageError `ILLEGAL_TABLE_NAME` */
  constructor(options: LimitStoreOptions) {
    this.database = options.database;
    this.table = tableName(options.tableName ?? DEFAULT_TABLES.limit);
  }

  /** What is stored under a key, and the time of the database. */
  read(key: string): Promise<{ readonly nowMs: number; readonly version: number; readonly state: string | undefined }> {
    return dialectOf(this.database).limits.read(this.database, this.table, key);
  }

  /** Stores a state in place of that with this version. @returns false if another one is stored meanwhile */
  async write(key: string, version: number, state: string): Promise<boolean> {
    try {
      return await dialectOf(this.database).limits.write(this.database, this.table, key, { version, state });
    } catch (error) {
      if (isTransactionConflict(error)) return false;
      throw error;
    }
  }

  /**
   * Checks that the table is there, with all columns. As a provider of a Nest application, it does that when the application starts.
   * @throws StateError `TABLE_NOT_READY` that names what is missing; errors of the database
   */
  assertReady(): Promise<void> {
    return assertReady(this.database, { limit: this.table });
  }

  /** Called by Nest when the application has started. @throws StateError `TABLE_NOT_READY`, and then it has not started */
  onApplicationBootstrap(): Promise<void> {
    return checkAtStart(() => this.assertReady(), this.logger);
  }

  /** @internal */
  [LOG_TO](logger: Logger): void {
    this.logger = unfailing(logger);
  }
}
