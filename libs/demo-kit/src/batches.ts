// Writes small things together: what comes while a batch is being written waits, and is the next batch.

import { AsyncResource } from 'node:async_hooks';
import { retryTransaction } from 'nestjs-rocketmq/sql';

/** Fits into one statement of any database. */
const MAX_AT_ONCE = 100;

interface Waiting<T> {
  readonly item: T;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Batches<T> {
  private waiting: Waiting<T>[] = [];
  private isWriting = false;
  private readonly write: (items: readonly T[]) => Promise<void>;

  /** @param write writes a batch, and again if the database aborted it because of a conflict; all of it or nothing */
  constructor(write: (items: readonly T[]) => Promise<void>) {
    // A batch does not belong to the request or message that happens to start it.
    this.write = AsyncResource.bind((items: readonly T[]) => retryTransaction(() => write(items)));
  }

  /** Resolves when the item is written; rejects if it is not, also by itself. */
  add(item: T): Promise<void> {
    const written = new Promise<void>((resolve, reject) => this.waiting.push({ item, resolve, reject }));
    if (!this.isWriting) void this.writeAll();
    return written;
  }

  private async writeAll(): Promise<void> {
    this.isWriting = true;
    for (let batch = this.next(); batch.length > 0; batch = this.next()) {
      await this.writeBatch(batch);
    }
    this.isWriting = false;
  }

  private async writeBatch(batch: readonly Waiting<T>[]): Promise<void> {
    try {
      await this.write(batch.map(({ item }) => item));
      for (const { resolve } of batch) resolve();
    } catch (error) {
      const [only, ...others] = batch;
      if (others.length === 0) only?.reject(error);
      // One that the database rejects must not take the others along.
      else await Promise.all(batch.map((one) => this.writeBatch([one])));
    }
  }

  private next(): Waiting<T>[] {
    return this.waiting.splice(0, MAX_AT_ONCE);
  }
}
