// The store in memory: a B+ tree. Nothing survives the process.

import { KeyTree } from './key-tree.js';
import { weightOf } from './message-weight.js';
import { type Change, compareKeys, type Key, type ScanOptions, type Store } from './store.js';

/** A {@link Store} that forgets everything with the process. */
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

  flush(): undefined {
    return undefined;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
