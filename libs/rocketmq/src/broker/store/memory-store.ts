// The store in memory: a B+ tree. Its content is lost when the process ends.

import { KeyTree } from './key-tree.js';
import { weightOf } from './pair-weight.js';
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
      if (change.kind === 'put') this.put(change.key, change.value);
      else this.delete(change.key);
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

  private put(key: Key, value: unknown): void {
    if (typeof value === 'number' || typeof value === 'boolean') {
      // What such a value replaces has the same size.
      if (this.tree.set(key, value)) this.bytes += weightOf(key, value);
      return;
    }
    const replaced = this.tree.add(key, value);
    if (replaced !== undefined) {
      this.bytes -= weightOf(key, replaced);
      this.tree.set(key, value);
    }
    this.bytes += weightOf(key, value);
  }

  private delete(key: Key): void {
    const value = this.tree.get(key);
    if (value === undefined) return;
    this.bytes -= weightOf(key, value);
    this.tree.delete(key);
  }
}
