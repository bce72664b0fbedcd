// What was written and is not on disk yet: seen by every read, gathered into batches.

import sortedBTree from 'sorted-btree';
import { weightOf } from './message-weight.js';
import { type Change, compareKeys, hasPrefix, type Key, type ScanOptions } from './store.js';

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
    // Whoever waits for it is told; a batch that nobody waits for fails in silence here, and aloud in the store.
    this.done.catch(() => {});
  }
}

interface Tree {
  readonly size: number;
  get(key: Key): PendingEntry | undefined;
  set(key: Key, value: PendingEntry): boolean;
  delete(key: Key): boolean;
  entries(lowestKey: Key): Iterable<[Key, PendingEntry]>;
}

type TreeClass = new (entries: undefined, compare: (left: Key, right: Key) => number) => Tree;

// A CommonJS module: its default import is the exports object when loaded from ESM, and the class from CommonJS.
const loaded = sortedBTree as unknown as TreeClass | { readonly default: TreeClass };
const BTree = 'default' in loaded ? loaded.default : loaded;

/** An ordered map that lies over what is on disk. */
export class PendingWrites {
  private readonly tree: Tree = new BTree(undefined, compareKeys);

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

  *scan(prefix: Key, from: Key, before: ScanOptions['before']): Iterable<[Key, PendingEntry]> {
    if (this.tree.size === 0) return;
    for (const pair of this.tree.entries(from)) {
      if (!hasPrefix(pair[0], prefix)) return;
      if (before !== undefined && compareKeys(pair[0], before) >= 0) return;
      yield pair;
    }
  }

  /** The batch is on disk: what was not overwritten since is read from there. */
  forget(batch: PendingBatch): void {
    for (const [key, entry] of batch.entries) if (this.tree.get(key) === entry) this.tree.delete(key);
  }
}
