// The store in memory: a B+ tree. Its content is lost when the process ends.

import { KeyTree } from './key-tree.js';
import { weightOf } from './message-weight.js';
import { type Change, compareKeys, type Key, type ScanOptions, type Store } from './store.js';

/** A {@link Store} without persistence. */
export class MemoryStore implements Store {
  private readonly tree = new KeyTree<unknown>();
  private bytes = 0;

  open(): Promise<void> {
    return Promise.resolve();
  }

  get(key: Key): unknown {
    return this.tree.get(key);
  }

  scan(prefix: Key, { from = prefix, before }: ScanOptions = {}): Iterable<readonly [Key, unknown]> {
    return this.tree.scan(prefix, compareKeys(from, prefix) < 0 ? prefix : from, before);
  }

  write(changes: readonly Change[]): void {
    for (const change of changes) {
      const { key } = change;
      if (change.kind === 'put') {
        const weight = weightOf(change.value);
        // Only values with a body count, and those are rarely overwritten, so most puts need no lookup.
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

  flush(): undefined {
    return undefined;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
