// Writes that are not on disk yet: visible to every read and collected in batches.

import { KeyTree } from './key-tree.js';
import { weightOf } from './message-weight.js';
import type { Change, Key, ScanOptions } from './store.js';

/** The newest value of a key that is not on disk. */
export interface PendingEntry {
  readonly key: Key;
  /** Undefined if the key was deleted. */
  value: unknown;
  /** The batch that writes it. */
  readonly batch: PendingBatch;
  /** Whether a later batch writes the key again. */
  isOverwritten: boolean;
}

/** The writes of one commit. */
export class PendingBatch {
  readonly entries: PendingEntry[] = [];
  /** Approximate size of its messages. */
  bytes = 0;
  /** Resolves when the batch is on disk. */
  readonly done: Promise<void>;
  readonly settle: { resolve(): void; reject(error: Error): void };

  constructor(readonly sinceMs: number) {
    let settle: PendingBatch['settle'] | undefined;
    this.done = new Promise((resolve, reject) => {
      settle = { resolve, reject };
    });
    this.settle = settle as unknown as PendingBatch['settle'];
    // Callers that wait for the batch get the error. If there are none, the store reports it; the rejection must not be unhandled.
    this.done.catch(() => {});
  }
}

/** An ordered map that overlays the data on disk. */
export class PendingWrites {
  private readonly tree = new KeyTree<PendingEntry>();

  add(batch: PendingBatch, changes: readonly Change[]): void {
    for (const change of changes) {
      const { key } = change;
      const value = change.kind === 'put' ? change.value : undefined;
      batch.bytes += weightOf(value);
      const entry: PendingEntry = { key, value, batch, isOverwritten: false };
      // Most keys are not pending yet.
      const known = this.tree.add(key, entry);
      if (known?.batch === batch) {
        known.value = value;
        continue;
      }
      if (known !== undefined) {
        known.isOverwritten = true;
        this.tree.set(key, entry);
      }
      batch.entries.push(entry);
    }
  }

  get(key: Key): PendingEntry | undefined {
    return this.tree.size === 0 ? undefined : this.tree.get(key);
  }

  scan(prefix: Key, from: Key, before: ScanOptions['before']): Iterable<[Key, PendingEntry]> {
    return this.tree.size === 0 ? [] : this.tree.scan(prefix, from, before);
  }

  /** Removes the entries of a batch that is on disk, except those that were overwritten since. */
  forget(batch: PendingBatch): void {
    for (const { key, isOverwritten } of batch.entries) if (!isOverwritten) this.tree.delete(key);
  }
}
