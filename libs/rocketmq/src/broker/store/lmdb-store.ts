// The store on disk. Reads and writes are synchronous: writes that are not on disk yet are kept in memory, where reads look first.
// One commit runs at a time, in LMDB's own thread; everything that is written meanwhile shares the next one.

import type { Clock, ScheduledTask } from '../../support/clock.js';
import { StateError } from '../../support/errors.js';
import { DamagedRecord } from './damaged-record.js';
import { longestBytes, MAX_KEY_BYTES } from './key-bytes.js';
import type { LmdbFile } from './lmdb-file.js';
import { PendingBatch, type PendingEntry } from './pending-batch.js';
import { type Change, compareKeys, type Key, type ScanOptions, type Store } from './store.js';
import { StoreFailure } from './store-failure.js';
import type { StoreFolder } from './store-folder.js';

/** `sync`: a flush waits for the disk. `async`: it does not, unless the disk is more than a second or 16 MiB behind. */
export type FlushMode = 'sync' | 'async';

/** How long writes are collected for a commit if no caller waits for them. */
const GATHERING_MS = 100;
/** How far the disk may be behind before an `async` flush waits for it. */
const MAX_BEHIND_MS = 1_000;
/** How many bytes may wait in memory before an `async` flush waits for the disk. */
const MAX_PENDING_BYTES = 16 * 1024 * 1024;
/** A commit of this size starts without collecting more writes. */
const COMMIT_BYTES = 4 * 1024 * 1024;

/** @internal What the store needs of a file, and of the folder around it. */
export type StoreFile = Pick<LmdbFile, 'get' | 'scan' | 'commit' | 'usedBytes' | 'close'>;
/** @internal */
export interface OpenFile {
  readonly file: StoreFile;
  readonly folder: Pick<StoreFolder, 'release'>;
}

export interface LmdbStoreOptions {
  /** The folder; created if necessary. */
  readonly folder: string;
  readonly flush: FlushMode;
  /** Real time. */
  readonly clock: Clock;
  /** Called once when the disk fails. */
  readonly failed: (failure: StoreFailure) => void;
  /** Describes the record of a key for error messages. */
  readonly nameOf: (key: Key) => string;
  /** Called each time a record cannot be read. */
  readonly damaged: (record: DamagedRecord) => void;
  /** @internal Opens another kind of file. Default: LMDB's in the folder. */
  readonly openFile?: ((folder: string) => Promise<OpenFile>) | undefined;
}

type LmdbState =
  | { readonly kind: 'closed' }
  | ({ readonly kind: 'open' } & OpenFile)
  | ({ readonly kind: 'failed'; readonly failure: StoreFailure } & OpenFile);

/** A {@link Store} in a folder, which it locks while it is open. */
export class LmdbStore implements Store {
  private state: LmdbState = { kind: 'closed' };
  /** Collects what the next commit writes. */
  private gathering: PendingBatch | undefined;
  private committing: PendingBatch | undefined;
  private timer: ScheduledTask | undefined;
  private isCommitSoon = false;

  constructor(private readonly options: LmdbStoreOptions) {}

  /** @throws StateError for a missing package, and for a folder that is in use, foreign, damaged or of a newer version */
  async open(): Promise<void> {
    if (this.state.kind !== 'closed') return;
    const { folder, openFile = (path: string) => this.openLmdb(path) } = this.options;
    this.state = { kind: 'open', ...(await openFile(folder)) };
  }

  private async openLmdb(path: string): Promise<OpenFile> {
    // Not loaded by a broker in memory.
    const { StoreFolder } = await import('./store-folder.js');
    const { LmdbFile, loadLmdb } = await import('./lmdb-file.js');
    // Without the package, the folder is not created either.
    await loadLmdb();
    const folder = await StoreFolder.claim(path);
    try {
      return { file: await LmdbFile.open(folder, (key) => this.damage(key)), folder };
    } catch (error) {
      await folder.release();
      throw error;
    }
  }

  get(key: Key): unknown {
    this.assertWhole();
    // Also for a pending key: a closed store has no answer.
    const file = this.file();
    const pending = this.gathering?.get(key) ?? this.committing?.get(key);
    return pending === undefined ? file.get(key) : pending.value;
  }

  scan(prefix: Key, options: ScanOptions = {}): Iterable<readonly [Key, unknown]> {
    this.assertWhole();
    const { from = prefix, before } = options;
    const first = compareKeys(from, prefix) < 0 ? prefix : from;
    let pairs = this.file().scan(prefix, { ...options, from: first });
    // The newer batch lies above the older one.
    for (const batch of [this.committing, this.gathering]) {
      if (batch !== undefined) pairs = merged(batch.scan(prefix, first, before), pairs);
    }
    return pairs;
  }

  write(changes: readonly Change[]): void {
    this.assertWhole();
    this.file();
    for (const { key } of changes) {
      if (longestBytes(key) > MAX_KEY_BYTES) throw new Error('a name in the request is too long to be stored');
    }
    this.gathering ??= new PendingBatch(this.options.clock.nowMs());
    this.gathering.add(changes);
    this.timer ??= this.options.clock.schedule(GATHERING_MS, () => this.commit());
    if (this.gathering.bytes > COMMIT_BYTES) this.commit();
  }

  flush(): Promise<void> | undefined {
    this.assertWhole();
    const oldest = this.committing ?? this.gathering;
    if (oldest === undefined) return undefined;
    const { flush, clock } = this.options;
    const pendingBytes = (this.committing?.bytes ?? 0) + (this.gathering?.bytes ?? 0);
    const isNear = clock.nowMs() - oldest.sinceMs < MAX_BEHIND_MS && pendingBytes < MAX_PENDING_BYTES;
    if (flush === 'async' && isNear) return undefined;
    return this.settled();
  }

  usedBytes(): number {
    return this.file().usedBytes();
  }

  /** Writes what is pending, then unlocks the folder. */
  async close(): Promise<void> {
    if (this.state.kind === 'closed') return;
    // The batch's callers and `failed` get the failure. The folder must be unlocked in any case.
    await this.settled().catch(() => {});
    await this.free();
  }

  private async free(): Promise<void> {
    if (this.state.kind === 'closed') return;
    const { file, folder } = this.state;
    this.state = { kind: 'closed' };
    this.timer?.cancel();
    this.timer = undefined;
    this.gathering = undefined;
    await file.close();
    await folder.release();
  }

  /** Resolves when all writes are on disk. */
  private settled(): Promise<void> {
    const newest = this.gathering ?? this.committing;
    if (this.committing === undefined) this.commitSoon();
    return newest?.done ?? Promise.resolve();
  }

  /** Starts a commit after this turn of the event loop, so that requests that arrived together share it. */
  private commitSoon(): void {
    if (this.isCommitSoon) return;
    this.isCommitSoon = true;
    setImmediate(() => {
      this.isCommitSoon = false;
      this.commit();
    });
  }

  private commit(): void {
    this.timer?.cancel();
    this.timer = undefined;
    const batch = this.gathering;
    if (batch === undefined || this.committing !== undefined || this.state.kind !== 'open') return;
    this.gathering = undefined;
    this.committing = batch;
    const { file } = this.state;
    file.commit(batch.entries).then(
      () => this.committed(batch),
      (error: unknown) => this.fail(error),
    );
  }

  private committed(batch: PendingBatch): void {
    this.committing = undefined;
    batch.settle.resolve();
    // At this rate of writes, the next commit starts at once.
    const isDue =
      this.options.flush === 'sync' || this.timer === undefined || (this.gathering?.bytes ?? 0) > COMMIT_BYTES;
    if (isDue) this.commit();
  }

  private fail(error: unknown): void {
    const failure = new StoreFailure(error instanceof Error ? error.message : String(error), { cause: error });
    if (this.state.kind === 'open') this.state = { ...this.state, kind: 'failed', failure };
    this.timer?.cancel();
    this.timer = undefined;
    this.committing?.settle.reject(failure);
    this.gathering?.settle.reject(failure);
    this.committing = undefined;
    this.gathering = undefined;
    this.options.failed(failure);
  }

  /** After a failure, pending writes may never reach the disk, and LMDB may reject reads. @throws StoreFailure */
  private assertWhole(): void {
    if (this.state.kind === 'failed') throw this.state.failure;
  }

  private damage(key: Key | undefined): DamagedRecord {
    const what = key === undefined ? 'a record without a key' : this.options.nameOf(key);
    const record = new DamagedRecord(what, 'its checksum is wrong');
    this.options.damaged(record);
    return record;
  }

  private file(): StoreFile {
    if (this.state.kind !== 'closed') return this.state.file;
    throw new StateError('NOT_STARTED', `the folder ${this.options.folder} is not open; await start() first`);
  }
}

/** Merges two ordered sequences; for equal keys the pending entry wins. */
function* merged(
  pending: Iterable<readonly [Key, PendingEntry]>,
  stored: Iterable<readonly [Key, unknown]>,
): Iterable<readonly [Key, unknown]> {
  const above = pending[Symbol.iterator]();
  let over = above.next();
  for (const pair of stored) {
    let isCovered = false;
    while (!over.done) {
      const [key, { value }] = over.value;
      const order = compareKeys(key, pair[0]);
      if (order > 0) break;
      isCovered ||= order === 0;
      if (value !== undefined) yield [key, value];
      over = above.next();
    }
    if (!isCovered) yield pair;
  }
  for (; !over.done; over = above.next()) {
    const [key, { value }] = over.value;
    if (value !== undefined) yield [key, value];
  }
}
