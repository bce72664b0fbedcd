// Doing something once per business key, however often its message comes.

import { UsageError } from '../support/errors.js';
import { deleteOlderThan } from './retention.js';
import { DEFAULT_INBOX_TABLE, quoteTable } from './schema.js';
import type { SqlExecutor } from './sql-port.js';

export interface InboxOptions {
  /** Default `rocketmq_inbox`. */
  readonly tableName?: string;
}

/** What became of a call of {@link Inbox.once}. */
export type InboxResult<T> = { readonly first: true; readonly result: T } | { readonly first: false };

/**
 * Remembers which steps were done, in the database transaction that did them. The key is the business's (order and step), not
 * the message id: a re-send may carry a new one.
 */
export class Inbox {
  private readonly table: string;

  /** @throws UsageError `ILLEGAL_TABLE_NAME` */
  constructor(options: InboxOptions = {}) {
    this.table = quoteTable(options.tableName ?? DEFAULT_INBOX_TABLE);
  }

  /**
   * Runs `work` unless the key was done before. What `work` changes must go through `tx`: the key and the changes are
   * committed together or not at all. A second caller waits until the first one's transaction has ended.
   * @throws what `work` throws; let it pass, so that `tx` is rolled back and the key is free again
   * @throws UsageError `ILLEGAL_KEY` for an empty key
   */
  async once<T>(tx: SqlExecutor, key: string, work: () => Promise<T>): Promise<InboxResult<T>> {
    if (key === '') throw new UsageError('ILLEGAL_KEY', 'the key of an inbox step must not be empty', 'key');
    const text = `INSERT INTO ${this.table} ("key") VALUES ($1) ON CONFLICT DO NOTHING RETURNING "key"`;
    const { rows } = await tx.query(text, [key]);
    return rows.length === 0 ? { first: false } : { first: true, result: await work() };
  }

  /**
   * Drops old keys. A message of a dropped key is taken as new: keep keys for longer than the server keeps messages.
   * @returns how many there were
   */
  async deleteOlderThan(tx: SqlExecutor, date: Date): Promise<number> {
    return await deleteOlderThan(tx, this.table, date);
  }
}
