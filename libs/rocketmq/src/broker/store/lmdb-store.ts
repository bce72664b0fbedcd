// The store on disk. Reads and writes are synchronous: what is not on disk yet lies over it in memory. One commit runs at a
// time, in LMDB's own thread; whatever is written meanwhile shares the next one.

import type { Clock, ScheduledTask } from '../../support/clock.js';
import { StateError } from '../../support/errors.js';
import { DamagedRecord } from './damaged-record.js';
import { LONGEST_KEY_BYTES, longestBytes } from './key-bytes.js';
import type { LmdbFile } from './lmdb-file.js';
import { PendingBatch, type PendingEntry, PendingWrites } from './pending-writes.js';
import { type Change, compareKeys, type Key, type ScanOptions, type Store } from './store.js';
import { StoreFailure } from './store-failure.js';
import type { StoreFolder } from './store-folder.js';

/** `sync`: a flush waits for the disk. `async`: it does not, unless the disk is more than a second or 16 MiB behind. */
export type FlushMode = 'sync' | 'async';

/** How long writes that nobody waits for are gathered. */
const GATHERING_MS = 100;
/** How far the disk may be behind before an `async` flush waits for it. */
const MOST_BEHIND_MS = 1_000;
/** And how much may wait for the disk in memory before it does. */
const MOST_PENDING_BYTES = 16 * 1024 * 1024;
/** From this size on a commit does not wait for more. */
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
  /** Told once when the disk fails. */
  readonly failed: (failure: StoreFailure) => void;
  /** Names the record of a key, for people. */
  readonly nameOf: (key: Key) => string;
  /** Told of a record that cannot be read, each time. */
  readonly damaged: (record: DamagedRecord) => void;
  /** @internal Opens another kind of file. Default: LMDB's in the folder. */
  readonly openFile?: ((folder: string) => Promise<OpenFile>) | undefined;
}

type LmdbState =
  | { readonly kind: 'closed' }
  | ({ readonly kind: 'open' } & OpenFile)
  | ({ readonly kind: 'failed'; readonly failure: StoreFailure } & OpenFile);

/** A {@link Store} in a folder, which belongs to it alone while it is open. */
export class LmdbStore implements Store {
  private state: LmdbState = { kind: 'closed' };
  private pending = new PendingWrites();
  /** Gathers what the next commit writes. */
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
    // A broker in memory starts without them.
    const [{ StoreFolder }, { LmdbFile }] = await Promise.all([import('./store-folder.js'), import('./lmdb-file.js')]);
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
    const pending = this.pending.get(key);
    return pending === undefined ? this.file().get(key) : pending.value;
  }

  scan(prefix: Key, options: ScanOptions = {}): Iterable<readonly [Key, unknown]> {
    this.assertWhole();
    const { from = prefix, before } = options;
    const first = compareKeys(from, prefix) < 0 ? prefix : from;
    const stored = this.file().scan(prefix, { ...options, from: first });
    return merged(this.pending.scan(prefix, first, before), stored);
  }

  write(changes: readonly Change[]): void {
    this.assertWhole();
    this.file();
    for (const { key } of changes) {
      if (longestBytes(key) > LONGEST_KEY_BYTES) throw new Error('a name in the request is too long to be stored');
    }
    this.gathering ??= new PendingBatch(this.options.clock.nowMs());
    this.pending.add(this.gathering, changes);
    this.timer ??= this.options.clock.schedule(GATHERING_MS, () => this.commit());
    if (this.gathering.bytes > COMMIT_BYTES) this.commit();
  }

  flush(): Promise<void> | undefined {
    this.assertWhole();
    const oldest = this.committing ?? this.gathering;
    if (oldest === undefined) return undefined;
    const { flush, clock } = this.options;
    const pendingBytes = (this.committing?.bytes ?? 0) + (this.gathering?.bytes ?? 0);
    const isNear = clock.nowMs() - oldest.sinceMs < MOST_BEHIND_MS && pendingBytes < MOST_PENDING_BYTES;
    if (flush === 'async' && isNear) return undefined;
    return this.settled();
  }

  usedBytes(): number {
    return this.file().usedBytes();
  }

  /** Writes what is left, then frees the folder. */
  async close(): Promise<void> {
    if (this.state.kind === 'closed') return;
    // The callers of the batch and `failed` report the failure; the folder must be released anyway.
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
    this.pending = new PendingWrites();
    await file.close();
    await folder.release();
  }

  /** Resolves when all that was written is on disk. */
  private settled(): Promise<void> {
    const newest = this.gathering ?? this.committing;
    if (this.committing === undefined) this.commitSoon();
    return newest?.done ?? Promise.resolve();
  }

  /** After this turn of the event loop: what arrived together is committed together. */
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
    this.pending.forget(batch);
    batch.settle.resolve();
    // Whoever writes at this rate does not have to wait for the next gathering to end.
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

  /** After a failure what lies over the file may never have come to the disk, and LMDB may read nothing. @throws StoreFailure */
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

/** Two ordered sequences as one; of one key, the pending entry. */
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
