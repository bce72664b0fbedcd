// A B+ tree by key, used by both stores for what they keep in memory.

import sortedBTree from 'sorted-btree';
import { compareKeys, hasPrefix, type Key, type KeyPart } from './store.js';

/** The methods of the package that are used. */
interface Tree {
  readonly size: number;
  get(key: Key): unknown;
  set(key: Key, value: unknown, overwrite?: boolean): boolean;
  delete(key: Key): boolean;
  entries(lowestKey: Key): Iterable<[Key, unknown]>;
}

type TreeClass = new (entries: undefined, compare: (left: Key, right: Key) => number) => Tree;

// The package is CommonJS: its default import is the exports object when loaded from ESM, and the class when loaded from CommonJS.
const loaded = sortedBTree as unknown as TreeClass | { readonly default: TreeClass };
const BTree = 'default' in loaded ? loaded.default : loaded;

/** An ordered map. Each kind of key has its own tree, so that a million keys of one kind do not slow down the others. */
export class KeyTree<Value> {
  private readonly trees = new Map<KeyPart | undefined, Tree>();
  private count = 0;

  get size(): number {
    return this.count;
  }

  get(key: Key): Value | undefined {
    return this.trees.get(key[0])?.get(key) as Value | undefined;
  }

  /** @returns whether the key is new */
  set(key: Key, value: Value): boolean {
    const isNew = this.treeOf(key).set(key, value);
    if (isNew) this.count++;
    return isNew;
  }

  /** Sets the value of a key that has none. @returns the value that it has otherwise */
  add(key: Key, value: Value): Value | undefined {
    const tree = this.treeOf(key);
    if (!tree.set(key, value, false)) return tree.get(key) as Value;
    this.count++;
    return undefined;
  }

  delete(key: Key): void {
    if (this.trees.get(key[0])?.delete(key)) this.count--;
  }

  /** In order: the keys with this prefix, from `from` on, below `before`. */
  *scan(prefix: Key, from: Key, before: Key | undefined): Iterable<[Key, Value]> {
    for (const tree of this.treesOf(prefix)) {
      for (const pair of tree.entries(from)) {
        if (!hasPrefix(pair[0], prefix)) return;
        if (before !== undefined && compareKeys(pair[0], before) >= 0) return;
        yield pair as [Key, Value];
      }
    }
  }

  private treeOf(key: Key): Tree {
    let tree = this.trees.get(key[0]);
    if (tree === undefined) {
      tree = new BTree(undefined, compareKeys);
      this.trees.set(key[0], tree);
    }
    return tree;
  }

  private treesOf(prefix: Key): Iterable<Tree> {
    if (prefix.length === 0) return this.allTrees();
    const tree = this.trees.get(prefix[0]);
    return tree === undefined ? [] : [tree];
  }

  private allTrees(): Tree[] {
    const kinds = [...this.trees.entries()];
    const keyOf = (kind: KeyPart | undefined): Key => (kind === undefined ? [] : [kind]);
    return kinds.sort(([left], [right]) => compareKeys(keyOf(left), keyOf(right))).map(([, tree]) => tree);
  }
}
