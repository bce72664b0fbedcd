// What was written and is not on disk yet: seen by every read, gathered into batches.

import { KeyTree } from './key-tree.js';
import { weightOf } from './message-weight.js';
import type { Change, Key, ScanOptions } from './store.js';

/** A key's newest value that is not on disk. */
export interface PendingEntry {
  /** undefined: deleted. */
  value: unknown;
  /** The batch that it belongs to. */
  readonly batch: PendingBatch;
}

/** What one commit writes. */
export class PendingBatch {
  readonly entries: (readonly [Key, PendingEntry])[] = [];
  /** About what its messages take. */
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
    // Callers that wait for the batch get the error; a batch without callers fails silently here, and the store reports it.
    this.done.catch(() => {});
  }
}

/** An ordered map that lies over what is on disk. */
export class PendingWrites {
  private readonly tree = new KeyTree<PendingEntry>();

  add(batch: PendingBatch, changes: readonly Change[]): void {
    for (const change of changes) {
      const { key } = change;
      const value = change.kind === 'put' ? change.value : undefined;
      batch.bytes += weightOf(value);
      const known = this.tree.get(key);
      if (known?.batch === batch) {
        known.value = value;
        continue;
      }
      const entry: PendingEntry = { value, batch };
      this.tree.set(key, entry);
      batch.entries.push([key, entry]);
    }
  }

  get(key: Key): PendingEntry | undefined {
    return this.tree.size === 0 ? undefined : this.tree.get(key);
  }

  scan(prefix: Key, from: Key, before: ScanOptions['before']): Iterable<[Key, PendingEntry]> {
    return this.tree.size === 0 ? [] : this.tree.scan(prefix, from, before);
  }

  /** The batch is on disk: what was not overwritten since is read from there. */
  forget(batch: PendingBatch): void {
    for (const [key, entry] of batch.entries) if (this.tree.get(key) === entry) this.tree.delete(key);
  }
}
