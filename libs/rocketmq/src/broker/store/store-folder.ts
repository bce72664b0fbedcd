// The folder of a store on disk: its format and its files. folder-lock.ts keeps other processes out.

import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { StateError } from '../../support/errors.js';
import { FolderLock, isOfLock } from './folder-lock.js';
import {
  ignoreMissing,
  makePrivate,
  PRIVATE_FILE,
  PRIVATE_FOLDER,
  parsed,
  syncFolder,
  writeDraft,
} from './private-files.js';

/** Incremented when the format of the data changes. */
const FORMAT = 3;
/** The first format whose records have checksums. */
const SEALED_SINCE = 2;
const FORMAT_FILE = 'broker.json';
/** What a crash may leave of it. */
const FORMAT_DRAFT = /^broker\.json\.[0-9a-f-]{36}\.new$/;

/** `new` until the data file is set up, `upgrading` while a file of an older format is rewritten. */
interface Format {
  readonly format: number;
  readonly state: (typeof STATES)[number];
}

const STATES = ['new', 'complete', 'upgrading'] as const;

/** A folder that is locked by this broker until it is released. */
export class StoreFolder {
  private constructor(
    /** The absolute path. */
    readonly path: string,
    private format: Format,
    private readonly lock: FolderLock,
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
      const lock = await FolderLock.take(path);
      try {
        const format = known ?? (await writeFormat(path, { format: FORMAT, state: 'new' }));
        return new StoreFolder(path, format, lock);
      } catch (error) {
        await lock.release();
        throw error;
      }
    } catch (error) {
      if (error instanceof StateError) throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw new StateError(
        'DATA_UNUSABLE',
        `the folder ${path} cannot be used: ${why}; nothing was started; fix the path or its permissions`,
        { cause: error },
      );
    }
  }

  /** Whether a data file must exist. */
  get isComplete(): boolean {
    return this.format.state !== 'new';
  }

  /** Whether the folder is marked as complete, in today's format. */
  get isUpToDate(): boolean {
    return this.format.format === FORMAT && this.format.state === 'complete';
  }

  /** Whether the data file may have records without checksums. */
  get isUnsealed(): boolean {
    return this.isComplete && (this.format.format < SEALED_SINCE || this.format.state === 'upgrading');
  }

  /** Marks the folder as upgrading; from then on, older versions of this library reject it. */
  async beginUpgrade(): Promise<void> {
    this.format = await writeFormat(this.path, { format: FORMAT, state: 'upgrading' });
  }

  async markComplete(): Promise<void> {
    this.format = await writeFormat(this.path, { format: FORMAT, state: 'complete' });
  }

  release(): Promise<void> {
    return this.lock.release();
  }
}

/** @returns undefined for an empty folder */
async function readFormat(path: string): Promise<Format | undefined> {
  const text = await readFile(join(path, FORMAT_FILE), 'utf8').catch(ignoreMissing);
  if (text === undefined) {
    const [other] = (await readdir(path)).filter((name) => !isOfLock(name) && !FORMAT_DRAFT.test(name));
    if (other === undefined) return undefined;
    const what = `the folder ${path} is not a data folder of a broker: it contains ${other} and no ${FORMAT_FILE}`;
    throw new StateError('DATA_FOREIGN', `${what}; choose an empty or a new folder. Nothing was changed`);
  }
  const { format, state } = parsed(text) as Partial<Format>;
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

/** Replaces the file atomically: it exists completely, and on disk, or as it was. */
async function writeFormat(path: string, format: Format): Promise<Format> {
  const file = join(path, FORMAT_FILE);
  const draft = await writeDraft(file, `${JSON.stringify(format)}\n`);
  try {
    await rename(draft, file);
    await syncFolder(path);
  } finally {
    await rm(draft, { force: true });
  }
  return format;
}
