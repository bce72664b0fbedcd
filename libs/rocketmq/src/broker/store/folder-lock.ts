// The lock of a data folder: one process at a time, and a process that died holds it no longer.
//
// A stale lock is never removed, because a process that removes it may remove the fresh lock of another one that was quicker. It is
// succeeded: the file LOCK.<id of the stale lock> can be created once only. The holder is the last of this chain, which begins at LOCK. It
// then replaces LOCK by its own lock, in one step, and removes the rest.

import { link, readFile, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { StateError } from '../../support/errors.js';
import { currentProcess, isRunning, type ProcessMark } from '../../support/process-mark.js';
import { systemRandom } from '../../support/random.js';
import { ignoreMissing, parsed, syncFolder, writeDraft } from './private-files.js';

const LOCK_FILE = 'LOCK';
const IS_UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const OF_LOCK = /^LOCK(?:\.(?:unknown|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:\.new)?))?$/;

/** The holder of the folder. */
interface Lock extends ProcessMark {
  readonly host: string;
  /** Distinguishes two brokers of one process. */
  readonly id: string;
}

/** What is done with the files of the folder; a test runs the steps of several processes in any order. */
export interface LockFiles {
  link(from: string, to: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  readFile(file: string, encoding: 'utf8'): Promise<string>;
  rm(file: string, options: { readonly force: true }): Promise<void>;
}

/** Whether a name in the folder belongs to its lock. */
export function isOfLock(name: string): boolean {
  return OF_LOCK.test(name);
}

/** A folder that is locked by this broker until it is released. */
export class FolderLock {
  private constructor(
    private readonly path: string,
    private readonly id: string,
    private readonly files: LockFiles,
  ) {}

  /** @throws StateError `DATA_IN_USE` if the holder is alive, or on another host */
  static async take(path: string, files: LockFiles = { link, rename, readFile, rm }): Promise<FolderLock> {
    const lock: Lock = { ...(await currentProcess()), host: hostname(), id: systemRandom.uuid() };
    const draft = await writeDraft(join(path, LOCK_FILE), JSON.stringify(lock));
    const taken = new FolderLock(path, lock.id, files);
    try {
      while (!(await taken.succeed(draft)));
      return taken;
    } finally {
      await rm(draft, { force: true });
    }
  }

  async release(): Promise<void> {
    const head = await this.read(LOCK_FILE);
    if (head?.id === this.id) await this.files.rm(join(this.path, LOCK_FILE), { force: true });
  }

  /** One attempt. @returns false when another process was quicker */
  private async succeed(draft: string): Promise<boolean> {
    const last = (await this.chain()).at(-1);
    if (last !== undefined) await assertEnded(this.path, last);
    const name = last === undefined ? LOCK_FILE : successorOf(last);
    const file = join(this.path, name);
    try {
      // Creating a link is atomic and never replaces an existing file.
      await this.files.link(draft, file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
    try {
      const chain = await this.chain();
      // The locks before it may have been replaced since they were read: then it continues no chain.
      const isHolder = chain.at(-1)?.id === this.id;
      if (isHolder && name !== LOCK_FILE) await this.files.rename(file, join(this.path, LOCK_FILE));
      if (!isHolder) await this.files.rm(file, { force: true });
      if (isHolder) await this.removeSucceeded(chain);
      return isHolder;
    } catch (error) {
      // It would hold the folder for as long as this process lives.
      await this.files.rm(file, { force: true }).catch(() => {});
      await this.release().catch(() => {});
      throw error;
    }
  }

  /** The files that the chain consisted of are without effect now: one that cannot be removed may stay. */
  private async removeSucceeded(chain: readonly Lock[]): Promise<void> {
    for (const lock of chain.slice(0, -1))
      await this.files.rm(join(this.path, successorOf(lock)), { force: true }).catch(() => {});
    await syncFolder(this.path);
  }

  /** The locks from the first to the holder's; empty if there is none. */
  private async chain(): Promise<Lock[]> {
    const locks: Lock[] = [];
    for (let name = LOCK_FILE; ; ) {
      const lock = await this.read(name);
      if (lock === undefined) return locks;
      locks.push(lock);
      const next = successorOf(lock);
      if (next === name) throw damaged(join(this.path, name));
      name = next;
    }
  }

  /** @returns undefined if there is no such file. A first lock that cannot be parsed was not written by a broker and locks nothing. */
  private async read(name: string): Promise<Lock | undefined> {
    const text = await this.files.readFile(join(this.path, name), 'utf8').catch(ignoreMissing);
    if (text === undefined) return undefined;
    const { pid = 0, id = '', host = hostname(), startedAt = '' } = parsed(text) as Partial<Lock>;
    return { pid, id, host, startedAt };
  }
}

function successorOf({ id }: Lock): string {
  return `${LOCK_FILE}.${IS_UUID.test(id) ? id : 'unknown'}`;
}

function damaged(file: string): StateError {
  const text = `the lock file ${file} is damaged; if no broker uses the folder, delete it. Nothing was started`;
  return new StateError('DATA_DAMAGED', text);
}

/** @throws StateError `DATA_IN_USE` */
async function assertEnded(path: string, held: Lock): Promise<void> {
  if (held.host !== hostname()) {
    const who = `process ${held.pid} of the host ${held.host}, which cannot be checked from here`;
    const cure = `stop that process, or choose another folder; if it has ended, delete ${join(path, LOCK_FILE)}`;
    throw new StateError('DATA_IN_USE', `the folder ${path} is in use by ${who}; nothing was started; ${cure}`);
  }
  if (!(await isRunning(held))) return;
  const who = held.pid === process.pid ? `another broker of this process (pid ${held.pid})` : `process ${held.pid}`;
  throw new StateError(
    'DATA_IN_USE',
    `the folder ${path} is in use by ${who}; nothing was started; stop it, or choose another folder`,
  );
}
