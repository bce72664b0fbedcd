// The engine's state is behind this interface: an ordered key-value map. The engine defines the keys (engine/records.ts); an
// implementation decides how they are stored.

/** One part of a key. Numbers sort before strings; numbers by value, strings by UTF-16 code unit. */
export type KeyPart = string | number;

/** A key, compared part by part. A prefix sorts before longer keys. */
export type Key = readonly KeyPart[];

export type Change =
  | { readonly kind: 'put'; readonly key: Key; readonly value: unknown }
  | { readonly kind: 'delete'; readonly key: Key };

/** Which part of a prefix to read. */
export interface ScanOptions {
  /** The first key to read (inclusive). Default: the first with the prefix. */
  readonly from?: Key;
  /** The key to stop at (exclusive). Default: none. */
  readonly before?: Key;
  /** Yields undefined for a record that cannot be read. By default, the scan throws. */
  readonly tolerant?: boolean;
}

/**
 * An ordered map whose reads are synchronous and whose batches are atomic. Values are plain data (objects, arrays, strings,
 * numbers, booleans, Buffers) and are never changed after a put.
 */
export interface Store {
  /** Opens the store. Idempotent; a closed store can be opened again. */
  open(): Promise<void>;
  /** @throws DamagedRecord for one that cannot be read; StoreFailure once the store could not write to its disk */
  get(key: Key): unknown;
  /**
   * The pairs whose key begins with `prefix`, in ascending order. A write invalidates the scan, so collect its result before.
   * @throws DamagedRecord unless `tolerant`; StoreFailure as `get`
   */
  scan(prefix: Key, options?: ScanOptions): Iterable<readonly [Key, unknown]>;
  /** Applies all changes in order, or none. Reads see them at once; they are durable after `flush`. */
  write(changes: readonly Change[]): void;
  /**
   * Resolves when all earlier writes are as durable as this store can make them; returns undefined if they already are.
   * @throws StoreFailure (or rejects with it) if they cannot become durable
   */
  flush(): Promise<void> | undefined;
  /** Approximate size of all pairs: in memory, or on disk as of the last commit. */
  usedBytes(): number;
  /** Closes the store and frees its resources. Idempotent. */
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
