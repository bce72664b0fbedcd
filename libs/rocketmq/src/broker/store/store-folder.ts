// The folder of a store on disk: its lock, its format, and its files.

import { link, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { StateError } from '../../support/errors.js';
import { currentProcess, isRunning, type ProcessMark } from '../../support/process-mark.js';
import { systemRandom } from '../../support/random.js';
import { makePrivate, PRIVATE_FILE, PRIVATE_FOLDER } from './private-files.js';

/** Incremented when the format of the data changes. */
const FORMAT = 2;
const FORMAT_FILE = 'broker.json';
const LOCK_FILE = 'LOCK';

/** `new` until the data file is set up, `upgrading` while a file of an older format is rewritten. */
interface Format {
  readonly format: number;
  readonly state: (typeof STATES)[number];
}

const STATES = ['new', 'complete', 'upgrading'] as const;

/** The holder of the folder. */
interface Lock extends ProcessMark {
  readonly host: string;
  /** Distinguishes two brokers of one process. */
  readonly id: string;
}

/** A folder that is locked by this broker until it is released. */
export class StoreFolder {
  private constructor(
    /** The absolute path. */
    readonly path: string,
    private format: Format,
    private readonly lock: Lock,
  ) {}

  /**
   * Locks the folder; creates it if necessary.
   * @throws StateError `DATA_IN_USE`, `DATA_FOREIGN`, `DATA_NEWER`, `DATA_DAMAGED`, `DATA_UNUSABLE`
   */
  static async claim(folder: string): Promise<StoreFolder> {
    const path = resolve(folder);
    try {
      await mkdir(path, { recursive: true, mode: PRIVATE_FOLDER });
      const known = await readFormat(path);
      await makePrivate(path, PRIVATE_FOLDER);
      if (known !== undefined) await makePrivate(join(path, FORMAT_FILE), PRIVATE_FILE);
      const lock = await takeLock(path);
      try {
        const format = known ?? (await writeFormat(path, { format: FORMAT, state: 'new' }));
        return new StoreFolder(path, format, lock);
      } catch (error) {
        await rm(join(path, LOCK_FILE), { force: true });
        throw error;
      }
    } catch (error) {
      if (error instanceof StateError) throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw new StateError('DATA_UNUSABLE', `the folder ${path} cannot be used: ${why}`, { cause: error });
    }
  }

  /** Whether a data file must exist. */
  get isComplete(): boolean {
    return this.format.state !== 'new';
  }

  /** Whether the data file is still in an older format, completely or partly. */
  get isOlder(): boolean {
    return this.isComplete && (this.format.format < FORMAT || this.format.state === 'upgrading');
  }

  /** Marks the folder as upgrading; from then on, older versions of this library reject it. */
  async beginUpgrade(): Promise<void> {
    this.format = await writeFormat(this.path, { format: FORMAT, state: 'upgrading' });
  }

  async markComplete(): Promise<void> {
    this.format = await writeFormat(this.path, { format: FORMAT, state: 'complete' });
  }

  async release(): Promise<void> {
    const held = await readLock(this.path);
    if (held?.id === this.lock.id) await rm(join(this.path, LOCK_FILE), { force: true });
  }
}

/** @returns undefined for an empty folder */
async function readFormat(path: string): Promise<Format | undefined> {
  const text = await readIfThere(join(path, FORMAT_FILE));
  if (text === undefined) {
    const [other] = (await readdir(path)).filter((name) => name !== LOCK_FILE && !name.endsWith('.new'));
    if (other === undefined) return undefined;
    const what = `the folder ${path} is not a data folder of a broker: it contains ${other} and no ${FORMAT_FILE}`;
    throw new StateError('DATA_FOREIGN', `${what}; choose an empty or a new folder. Nothing was changed`);
  }
  const { format, state } = parse(text) as Partial<Format>;
  if (typeof format !== 'number' || state === undefined || !STATES.includes(state)) {
    const what = `${join(path, FORMAT_FILE)} is damaged or not a file of the broker`;
    throw new StateError('DATA_DAMAGED', `${what}; restore a copy of the folder, or start with an empty one`);
  }
  if (format > FORMAT) {
    const what = `the folder ${path} has format ${format}; this version of nestjs-rocketmq reads formats up to ${FORMAT}`;
    throw new StateError('DATA_NEWER', `${what}; use the version that wrote it, or a newer one. Nothing was changed`);
  }
  return { format, state };
}

async function writeFormat(path: string, format: Format): Promise<Format> {
  await writeWhole(join(path, FORMAT_FILE), `${JSON.stringify(format)}\n`, rename);
  return format;
}

/** @throws StateError `DATA_IN_USE` */
async function takeLock(path: string): Promise<Lock> {
  const lock: Lock = { ...(await currentProcess()), host: hostname(), id: systemRandom.uuid() };
  const file = join(path, LOCK_FILE);
  for (;;) {
    try {
      // Creating a link is atomic and never replaces an existing file.
      await writeWhole(file, JSON.stringify(lock), link);
      return lock;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    await removeStale(path, file);
  }
}

/** @throws StateError `DATA_IN_USE` if the holder is alive, or on another host */
async function removeStale(path: string, file: string): Promise<void> {
  const held = await readLock(path);
  if (held === undefined) return;
  if (held.host !== hostname()) {
    const who = `process ${held.pid} of the host ${held.host}, which cannot be checked from here`;
    throw new StateError(
      'DATA_IN_USE',
      `the folder ${path} is in use by ${who}; if that process has ended, delete ${file}`,
    );
  }
  if (await isRunning(held)) {
    const who = held.pid === process.pid ? `another broker of this process (pid ${held.pid})` : `process ${held.pid}`;
    throw new StateError('DATA_IN_USE', `the folder ${path} is in use by ${who}; nothing was started`);
  }
  // Renamed before it is deleted: another process that also found it stale renames nothing, or restores what it renamed.
  const aside = `${file}.${systemRandom.uuid()}.new`;
  await rename(file, aside).catch(ignoreMissing);
  const moved = parse((await readIfThere(aside)) ?? '{}') as Partial<Lock>;
  if (moved.id !== undefined && moved.id !== held.id) await link(aside, file).catch(() => {});
  await rm(aside, { force: true });
}

/** @returns undefined if there is no lock. A file that cannot be parsed was not written by a broker and locks nothing. */
async function readLock(path: string): Promise<Lock | undefined> {
  const text = await readIfThere(join(path, LOCK_FILE));
  if (text === undefined) return undefined;
  const { pid = 0, id = '', host = hostname(), startedAt = '' } = parse(text) as Partial<Lock>;
  return { pid, id, host, startedAt };
}

/** Writes a file atomically: it exists completely, and on disk, or not at all. */
async function writeWhole(file: string, text: string, place: typeof rename): Promise<void> {
  const draft = `${file}.${systemRandom.uuid()}.new`;
  const handle = await open(draft, 'wx', PRIVATE_FILE);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    await place(draft, file);
    await syncFolder(dirname(file));
  } finally {
    await rm(draft, { force: true });
  }
}

/** Syncs the folder, so that new names in it are on disk. On Windows folders cannot be synced. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r').catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

async function readIfThere(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch(ignoreMissing);
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

function parse(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
