// One LMDB file: opened and checked, read, committed. The package is loaded when the first one is opened.

import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { StateError } from '../../support/errors.js';
import { AFTER_ALL_KEYS, BEFORE_ALL_KEYS, bytesToKey, keyToBytes } from './key-bytes.js';
import { checkFile } from './lmdb-pages.js';
import type { PendingEntry } from './pending-batch.js';
import { openPrivate } from './private-files.js';
import { isSealed, SEAL_BYTES, seal, unsealed } from './sealed-value.js';
import { compareKeys, type Key, type ScanOptions } from './store.js';
import { StoreFailure } from './store-failure.js';
import type { StoreFolder } from './store-folder.js';
import { fromDisk, toDisk } from './stored-form.js';

type Lmdb = typeof import('lmdb');
type Database = ReturnType<Lmdb['open']>;
type Pair = readonly [Key, unknown];

const DATA_FILE = 'messages.mdb';
/** Sorts before all keys of the store. Its value is written when the setup of the file is complete. */
const SETUP_KEY = Buffer.from([0x00]);
const SETUP_VALUE = 'nestjs-rocketmq broker';
const ROOM_FOR_SEAL = Buffer.alloc(SEAL_BYTES);
/**
 * Lets msgpackr leave as many bytes free before the value as are added to it (`RESERVE_START_SPACE`). The value stays in its buffer until it is on disk,
 * as with LMDB's own writes: it is not reused unless the application calls `useBuffer()` of the same copy of msgpackr.
 */
const RESERVE_START_SPACE = 2048;

/** How many pairs a scan reads at once: few at first, because most scans need few. */
const FIRST_READ = 4;
const MAX_READ = 256;

/** How many pairs of an older file are rewritten at a time. */
const UPGRADE_PAIRS = 64;

/** Values as bytes. */
interface Codec {
  /** With bytes for the seal before the value. */
  encode(value: unknown): Buffer;
  decode(bytes: Uint8Array): unknown;
}

/** Creates the error for a record that cannot be read; the key is undefined if it cannot be read, either. */
type Damage = (key: Key | undefined) => Error;

/** A pair as LMDB stores it. */
interface RawPair {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** The range of a scan. */
interface Range extends ScanOptions {
  readonly from: Key;
}

/** An open file. */
export class LmdbFile {
  private constructor(
    private readonly database: Database,
    private readonly codec: Codec,
    private readonly damage: Damage,
  ) {}

  /** @throws StateError `DATA_DAMAGED`, `DATA_FOREIGN`; and that of {@link loadLmdb} */
  static async open(folder: StoreFolder, damage: Damage): Promise<LmdbFile> {
    const lmdb = await loadLmdb();
    const path = join(folder.path, DATA_FILE);
    await prepare(path, folder);
    let database: Database | undefined;
    try {
      database = lmdb.open({
        path,
        noSubdir: true,
        keyEncoding: 'binary',
        encoding: 'binary',
        // A commit resolves when it is on disk.
        overlappingSync: false,
        // The store batches by itself. LMDB's own batches leave a rejected promise unhandled, which would end the process.
        eventTurnBatching: false,
      });
      const file = new LmdbFile(database, codecOf(database), damage);
      if (folder.isUnsealed) await file.upgrade(folder);
      await file.setUp(folder);
      return file;
    } catch (error) {
      await database?.close();
      throw error instanceof StateError ? error : damaged(path, messageOf(error), error);
    }
  }

  get(key: Key): unknown {
    const keyBytes = keyToBytes(key);
    // LMDB lends its own buffer with a `length` of its own, which `subarray()` of Node.js 24 does not see.
    const lent = readable(() => this.database.getBinaryFast(keyBytes) as Buffer | undefined);
    if (lent === undefined) return undefined;
    return this.valueIn(keyBytes, Buffer.from(lent.buffer, lent.byteOffset, lent.length), () => key);
  }

  *scan(prefix: Key, { from, before, tolerant = false }: Range): Iterable<Pair> {
    const end = endOf(prefix, before);
    let start: Buffer = from.length === 0 ? BEFORE_ALL_KEYS : keyToBytes(from);
    for (let limit = FIRST_READ; ; limit = Math.min(limit * 4, MAX_READ)) {
      // Read into an array, so that no cursor stays open when the reader stops early.
      const pairs = readable(() => [...this.database.getRange({ start, end, limit })] as RawPair[]);
      for (const pair of pairs) {
        const found = this.pairOf(pair, tolerant);
        if (found !== undefined) yield found;
      }
      const last = pairs.at(-1)?.key;
      if (last === undefined || pairs.length < limit) return;
      start = Buffer.concat([last, Buffer.from([0])]);
    }
  }

  /** Resolves when all entries are on disk and visible to reads. */
  async commit(entries: readonly Pick<PendingEntry, 'key' | 'value'>[]): Promise<void> {
    await this.write(
      entries.map(({ key, value }) => {
        const keyBytes = keyToBytes(key);
        return [keyBytes, value === undefined ? undefined : seal(keyBytes, this.codec.encode(value))];
      }),
    );
  }

  private async write(entries: readonly (readonly [Buffer, Buffer | undefined])[]): Promise<void> {
    const { database } = this;
    const parts = new Set<Promise<boolean>>();
    const batch = database.batch(() => {
      for (const [key, bytes] of entries)
        parts.add(bytes === undefined ? database.remove(key) : database.put(key, bytes));
    });
    // A part rejects with its batch, and an unhandled rejection would end the process.
    for (const part of parts) part.catch(() => {});
    try {
      await batch;
    } catch (error) {
      throw await causeOf(error);
    }
    database.resetReadTxn();
  }

  /** @returns undefined for a key that a tolerant scan cannot read and skips */
  private pairOf({ key: keyBytes, value: bytes }: RawPair, tolerant: boolean): Pair | undefined {
    const key = keyIn(keyBytes);
    try {
      const value = this.valueIn(keyBytes, bytes, () => key);
      if (key !== undefined) return [key, value];
    } catch (error) {
      if (!tolerant) throw error;
    }
    return key === undefined ? undefined : [key, undefined];
  }

  private valueIn(keyBytes: Buffer, bytes: Buffer, keyOf: () => Key | undefined): unknown {
    const value = unsealed(keyBytes, bytes);
    if (value === undefined) throw this.damage(keyOf());
    return this.codec.decode(value);
  }

  /** Adds checksums to the records of an older version. The next start continues an upgrade that was interrupted. */
  private async upgrade(folder: StoreFolder): Promise<void> {
    await folder.beginUpgrade();
    for (let start: Buffer = SETUP_KEY; ; ) {
      const pairs = [...this.database.getRange({ start, limit: UPGRADE_PAIRS })] as RawPair[];
      const unsealed = pairs.filter(({ value }) => !isSealed(value));
      if (unsealed.length > 0)
        await this.write(unsealed.map(({ key, value }) => [key, seal(key, Buffer.concat([ROOM_FOR_SEAL, value]))]));
      const last = pairs.at(-1)?.key;
      if (last === undefined || pairs.length < UPGRADE_PAIRS) return;
      start = Buffer.concat([last, Buffer.from([0])]);
    }
  }

  /** Marks a new file once it is complete; checks that an existing file has the mark. */
  private async setUp(folder: StoreFolder): Promise<void> {
    const bytes = this.database.getBinary(SETUP_KEY);
    const value = bytes && unsealed(SETUP_KEY, bytes);
    if (value !== undefined && this.codec.decode(value) === SETUP_VALUE) {
      if (!folder.isUpToDate) await folder.markComplete();
      return;
    }
    if (folder.isComplete) throw damaged(join(folder.path, DATA_FILE), 'its setup mark is missing', undefined);
    await this.write([[SETUP_KEY, seal(SETUP_KEY, this.codec.encode(SETUP_VALUE))]]);
    await folder.markComplete();
  }

  /** The size of the pages in use, without free pages. */
  usedBytes(): number {
    const { pageSize, treeBranchPageCount, treeLeafPageCount, overflowPages } = this.database.getStats() as Record<
      'pageSize' | 'treeBranchPageCount' | 'treeLeafPageCount' | 'overflowPages',
      number
    >;
    return pageSize * (treeBranchPageCount + treeLeafPageCount + overflowPages);
  }

  close(): Promise<void> {
    return this.database.close();
  }
}

/** @throws StateError `LMDB_MISSING` */
export async function loadLmdb(): Promise<Lmdb> {
  try {
    return await import('lmdb');
  } catch (error) {
    const [why] = messageOf(error).split('\n');
    const text = `the option data requires the package lmdb, which cannot be loaded (${why})`;
    // Its binary is in a package of its own, which an installation without optional packages lacks.
    const cure = 'install it with: npm install lmdb@3 --include=optional';
    throw new StateError('LMDB_MISSING', `${text}; nothing was started; ${cure}`, { cause: error });
  }
}

/** LMDB's own MessagePack codec, used separately, so that the checksum covers the stored bytes. */
function codecOf(database: Database): Codec {
  // With records, each value would depend on a table of structures elsewhere in the file.
  const encoder = { useRecords: false, copyBuffers: true };
  const options = { name: null, keyEncoding: 'binary', encoding: 'msgpack', encoder };
  // The package's types have neither the name of the file's only table nor the options of an encoder.
  const { encoder: codec } = database.openDB(options as never) as unknown as {
    encoder: { encode(value: unknown, mode: number): Buffer; decode(bytes: Uint8Array): unknown };
  };
  return {
    encode: (value) => codec.encode(toDisk(value), RESERVE_START_SPACE + SEAL_BYTES),
    decode: (bytes) => fromDisk(codec.decode(bytes)),
  };
}

/** Makes sure that the files are private and not links: LMDB itself follows links and creates files that others can read. */
async function prepare(path: string, folder: StoreFolder): Promise<void> {
  const file = await openPrivate(path, folder.isComplete ? 'found' : 'found or new');
  if (file === undefined) throw damaged(path, 'it is missing', undefined);
  await assertReadable(path, file, folder);
  const lock = await openPrivate(`${path}-lock`, 'found or new');
  await lock?.close();
}

/** Closes the file. @throws StateError `DATA_DAMAGED` */
async function assertReadable(path: string, file: FileHandle, folder: StoreFolder): Promise<void> {
  try {
    const found = await checkFile(file);
    if (found === 'whole') return;
    // The first start was interrupted while it created the file: nothing was ever stored.
    if (!folder.isComplete) await file.truncate(0);
    else throw damaged(path, found === 'short' ? 'its end is missing' : 'it is not an LMDB file', undefined);
  } finally {
    await file.close();
  }
}

/** LMDB rejects all reads once it could not write the last page of a commit. @throws StoreFailure */
function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new StoreFailure(messageOf(error), { cause: error });
  }
}

/** @returns undefined for bytes that are no key */
function keyIn(bytes: Buffer): Key | undefined {
  try {
    return bytesToKey(bytes);
  } catch {
    return undefined;
  }
}

function endOf(prefix: Key, before: Key | undefined): Buffer {
  const endOfPrefix = Buffer.concat([keyToBytes(prefix), AFTER_ALL_KEYS]);
  if (before === undefined) return endOfPrefix;
  const end = keyToBytes(before);
  // A key beyond the prefix does not extend the scan.
  return compareKeys(before, prefix) < 0 || Buffer.compare(end, endOfPrefix) < 0 ? end : endOfPrefix;
}

function damaged(path: string, why: string, cause: unknown): StateError {
  const text = `${path} cannot be read (${why}); nothing was started or changed`;
  return new StateError('DATA_DAMAGED', `${text}; restore a copy of the folder, or start with an empty one`, {
    cause,
  });
}

/** LMDB reports the reason for a failed commit in a separate promise. */
async function causeOf(error: unknown): Promise<unknown> {
  const { commitError } = error as { commitError?: Promise<never> };
  return commitError === undefined ? error : await commitError.catch((cause: unknown) => cause);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
