// The port between the engine and its state: an ordered key-value map. What the keys mean is the engine's business
// (engine/records.ts); how they are kept is the implementation's.

/** One part of a key. Numbers sort before strings; numbers by value, strings by UTF-16 code unit. */
export type KeyPart = string | number;

/** A key: compared part by part; a key that is the beginning of another sorts before it. */
export type Key = readonly KeyPart[];

export type Change =
  | { readonly kind: 'put'; readonly key: Key; readonly value: unknown }
  | { readonly kind: 'delete'; readonly key: Key };

/** Which part of a prefix to read. */
export interface ScanOptions {
  /** The first key that counts. Default: the first with the prefix. */
  readonly from?: Key;
  /** The first key that no longer counts. Default: none. */
  readonly before?: Key;
  /** Gives a record that cannot be read as undefined. Default: the scan throws. */
  readonly tolerant?: boolean;
}

/**
 * An ordered map whose reads are synchronous and whose batches are atomic. Values are plain data (objects, arrays, strings,
 * numbers, booleans, Buffers) and are never changed after a put.
 */
export interface Store {
  /** Makes it ready to be read and written. Harmless when repeated; a closed store can be opened again. */
  open(): Promise<void>;
  /** @throws DamagedRecord for one that cannot be read; StoreFailure once the store has lost its disk */
  get(key: Key): unknown;
  /**
   * The pairs whose key begins with `prefix`, in ascending order. A write ends the scan's validity: collect first.
   * @throws DamagedRecord unless `tolerant`; StoreFailure as `get`
   */
  scan(prefix: Key, options?: ScanOptions): Iterable<readonly [Key, unknown]>;
  /** Applies all changes or none, in their order. Later reads see them at once; they are durable after `flush`. */
  write(changes: readonly Change[]): void;
  /**
   * Resolves when everything written before this call is as durable as this store can make it; undefined when it already is.
   * @throws StoreFailure when it will never be; at once, or by the promise
   */
  flush(): Promise<void> | undefined;
  /** About how much room the pairs take: in memory, or on disk as of the last commit. */
  usedBytes(): number;
  /** Gives up everything the store holds open. Harmless when repeated. */
  close(): Promise<void>;
}

/** The order of keys that every store keeps. */
export function compareKeys(left: Key, right: Key): number {
  const shared = Math.min(left.length, right.length);
  for (let index = 0; index < shared; index++) {
    const a = left[index] as KeyPart;
    const b = right[index] as KeyPart;
    if (a === b) continue;
    if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1;
    return a < b ? -1 : 1;
  }
  return left.length - right.length;
}

/** Whether the key begins with all parts of the prefix. */
export function hasPrefix(key: Key, prefix: Key): boolean {
  return key.length >= prefix.length && prefix.every((part, index) => key[index] === part);
}
