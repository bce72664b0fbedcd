// One LMDB file: opened and checked, read, committed. The package is loaded when the first one is opened.

import { open as openFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StateError } from '../../support/errors.js';
import { AFTER_ALL_KEYS, BEFORE_ALL_KEYS, bytesToKey, keyToBytes } from './key-bytes.js';
import { checkFile } from './lmdb-pages.js';
import type { PendingEntry } from './pending-writes.js';
import { compareKeys, type Key } from './store.js';
import type { StoreFolder } from './store-folder.js';
import { fromDisk, toDisk } from './stored-names.js';

type Lmdb = typeof import('lmdb');
type Database = ReturnType<Lmdb['open']>;
type Pair = readonly [Key, unknown];

const DATA_FILE = 'messages.mdb';
/** Sorts before all of the store's keys; its value tells that the file was set up to the end. */
const SETUP_KEY = Buffer.from([0x00]);
const SETUP_VALUE = 'nestjs-rocketmq broker';

/** How many pairs a scan reads at once: few at first, since most scans want few. */
const FIRST_READ = 4;
const LONGEST_READ = 256;

/** An open file. */
export class LmdbFile {
  private constructor(private readonly database: Database) {}

  /** @throws StateError `LMDB_MISSING`, `DATA_DAMAGED` */
  static async open(folder: StoreFolder): Promise<LmdbFile> {
    const lmdb = await loadLmdb();
    const path = join(folder.path, DATA_FILE);
    await assertReadable(path, folder);
    let database: Database | undefined;
    try {
      database = lmdb.open({
        path,
        noSubdir: true,
        keyEncoding: 'binary',
        encoding: 'msgpack',
        // Records would tie each value to a table of structures elsewhere in the file.
        encoder: { useRecords: false, copyBuffers: true } as never,
        // A commit ends when it is on disk, and there is no other kind of commit.
        overlappingSync: false,
        // Batches are ours; those of LMDB's would leave a promise that fails with nobody to see it, and end the process.
        eventTurnBatching: false,
      });
      await setUp(database, folder);
      return new LmdbFile(database);
    } catch (error) {
      await database?.close();
      throw error instanceof StateError ? error : damaged(path, messageOf(error), error);
    }
  }

  get(key: Key): unknown {
    return fromDisk(this.database.get(keyToBytes(key)));
  }

  *scan(prefix: Key, from: Key, before: Key | undefined): Iterable<Pair> {
    const end = endOf(prefix, before);
    let start: Buffer = from.length === 0 ? BEFORE_ALL_KEYS : keyToBytes(from);
    for (let limit = FIRST_READ; ; limit = Math.min(limit * 4, LONGEST_READ)) {
      // Read at once, so that no cursor stays open when the reader stops early.
      const pairs = [...this.database.getRange({ start, end, limit })];
      for (const { key, value } of pairs) yield [bytesToKey(key as Buffer), fromDisk(value)];
      const last = pairs.at(-1)?.key as Buffer | undefined;
      if (last === undefined || pairs.length < limit) return;
      start = Buffer.concat([last, Buffer.from([0])]);
    }
  }

  /** Resolves when all of it is on disk; then reads see it. */
  async commit(entries: readonly (readonly [Key, PendingEntry])[]): Promise<void> {
    const { database } = this;
    const parts = new Set<Promise<boolean>>();
    const batch = database.batch(() => {
      for (const [key, { value }] of entries) {
        const bytes = keyToBytes(key);
        parts.add(value === undefined ? database.remove(bytes) : database.put(bytes, toDisk(value)));
      }
    });
    // They fail with the batch. Few are promises of their own, and one that nobody waits for would end the process.
    for (const part of parts) part.catch(() => {});
    try {
      await batch;
    } catch (error) {
      throw await causeOf(error);
    }
    database.resetReadTxn();
  }

  /** Pages in use; those that LMDB keeps for later are not counted. */
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

async function loadLmdb(): Promise<Lmdb> {
  try {
    return await import('lmdb');
  } catch (error) {
    const text = `the broker keeps its data on disk by the package lmdb, which cannot be loaded (${messageOf(error)})`;
    throw new StateError('LMDB_MISSING', `${text}: npm install lmdb@3; nothing was started`, { cause: error });
  }
}

/** A file that is new is marked when it is complete; one that should be complete must have the mark. */
async function setUp(database: Database, folder: StoreFolder): Promise<void> {
  if (database.get(SETUP_KEY) === SETUP_VALUE) return;
  if (folder.isComplete) throw damaged(join(folder.path, DATA_FILE), 'it has lost what it was set up with', undefined);
  await database.put(SETUP_KEY, SETUP_VALUE).catch(async (error) => {
    throw await causeOf(error);
  });
  await folder.markComplete();
}

/** @throws StateError `DATA_DAMAGED` */
async function assertReadable(path: string, folder: StoreFolder): Promise<void> {
  const file = await openFile(path, 'r+').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (file === undefined) {
    if (folder.isComplete) throw damaged(path, 'it is gone', undefined);
    return;
  }
  try {
    const found = await checkFile(file);
    if (found === 'whole') return;
    // The first start ended while it made the file: nothing was ever stored.
    if (!folder.isComplete) await file.truncate(0);
    else throw damaged(path, found === 'short' ? 'its end is missing' : 'it is no file of LMDB', undefined);
  } finally {
    await file.close();
  }
}

function endOf(prefix: Key, before: Key | undefined): Buffer {
  const endOfPrefix = Buffer.concat([keyToBytes(prefix), AFTER_ALL_KEYS]);
  if (before === undefined) return endOfPrefix;
  const end = keyToBytes(before);
  // A key beyond the prefix does not widen the scan.
  return compareKeys(before, prefix) < 0 || Buffer.compare(end, endOfPrefix) < 0 ? end : endOfPrefix;
}

function damaged(path: string, why: string, cause: unknown): StateError {
  const text = `${path} cannot be read (${why}); nothing was started and nothing changed`;
  return new StateError('DATA_DAMAGED', `${text}: put a copy of the folder back, or begin with an empty one`, {
    cause,
  });
}

/** LMDB tells why a commit failed in a promise of its own. */
async function causeOf(error: unknown): Promise<unknown> {
  const { commitError } = error as { commitError?: Promise<never> };
  return commitError === undefined ? error : await commitError.catch((cause: unknown) => cause);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
