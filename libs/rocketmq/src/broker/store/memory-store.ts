// The store in memory: a B+ tree. Nothing survives the process.

import sortedBTree from 'sorted-btree';
import { weightOf } from './message-weight.js';
import { type Change, compareKeys, hasPrefix, type Key, type ScanOptions, type Store } from './store.js';

/** What is used of the tree. */
interface Tree {
  get(key: Key): unknown;
  set(key: Key, value: unknown): boolean;
  delete(key: Key): boolean;
  entries(lowestKey: Key): Iterable<[Key, unknown]>;
}

type TreeClass = new (entries: undefined, compare: (left: Key, right: Key) => number) => Tree;

// A CommonJS module: its default import is the exports object when loaded from ESM, and the class from CommonJS.
const loaded = sortedBTree as unknown as TreeClass | { readonly default: TreeClass };
const BTree = 'default' in loaded ? loaded.default : loaded;

/** A {@link Store} that forgets everything with the process. */
export class MemoryStore implements Store {
  private readonly tree: Tree = new BTree(undefined, compareKeys);
  private bytes = 0;

  open(): Promise<void> {
    return Promise.resolve();
  }

  get(key: Key): unknown {
    return this.tree.get(key);
  }

  *scan(prefix: Key, { from = prefix, before }: ScanOptions = {}): Iterable<readonly [Key, unknown]> {
    for (const pair of this.tree.entries(compareKeys(from, prefix) < 0 ? prefix : from)) {
      if (!hasPrefix(pair[0], prefix)) return;
      if (before !== undefined && compareKeys(pair[0], before) >= 0) return;
      yield pair;
    }
  }

  write(changes: readonly Change[]): void {
    for (const change of changes) {
      const { key } = change;
      if (change.kind === 'put') {
        const weight = weightOf(change.value);
        // Only what carries a body is counted, and that is hardly ever overwritten: most puts need no look.
        if (weight > 0) this.bytes += weight - weightOf(this.tree.get(key));
        this.tree.set(key, change.value);
      } else {
        this.bytes -= weightOf(this.tree.get(key));
        this.tree.delete(key);
      }
    }
  }

  usedBytes(): number {
    return this.bytes;
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
