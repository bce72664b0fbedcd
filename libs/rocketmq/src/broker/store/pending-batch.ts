// Writes that are not on disk yet and will be part of one commit: visible to every read.

import { KeyTree } from './key-tree.js';
import { weightOf } from './pair-weight.js';
import type { Change, Key, ScanOptions } from './store.js';

/** What a batch writes for a key. */
export interface PendingEntry {
  readonly key: Key;
  /** Undefined if the key was deleted. */
  value: unknown;
}

/** The writes of one commit: an ordered map that overlays what is on disk. It is dropped as a whole, which costs nothing for each entry. */
export class PendingBatch {
  /** In the order in which the keys were first written. */
  readonly entries: PendingEntry[] = [];
  /** Approximate memory that its writes take. */
  bytes = 0;
  /** Resolves when the batch is on disk. */
  readonly done: Promise<void>;
  readonly settle: { resolve(): void; reject(error: Error): void };
  private readonly byKey = new KeyTree<PendingEntry>();

  constructor(readonly sinceMs: number) {
    let settle: PendingBatch['settle'] | undefined;
    this.done = new Promise((resolve, reject) => {
      settle = { resolve, reject };
    });
    this.settle = settle as unknown as PendingBatch['settle'];
    // Callers that wait for the batch get the error. If there are none, the store reports it; the rejection must not be unhandled.
    this.done.catch(() => {});
  }

  add(changes: readonly Change[]): void {
    for (const change of changes) {
      const { key } = change;
      const value = change.kind === 'put' ? change.value : undefined;
      this.bytes += weightOf(key, value);
      const entry: PendingEntry = { key, value };
      const known = this.byKey.add(key, entry);
      if (known === undefined) this.entries.push(entry);
      else known.value = value;
    }
  }

  get(key: Key): PendingEntry | undefined {
    return this.byKey.get(key);
  }

  scan(prefix: Key, from: Key, before: ScanOptions['before']): Iterable<[Key, PendingEntry]> {
    return this.byKey.scan(prefix, from, before);
  }
}
