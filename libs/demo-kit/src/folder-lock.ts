// Allows one process at a time in a data folder. PGlite does not, and two processes would corrupt its data.

import { hash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createOnce } from './create-once.js';

/** The folder is in use. */
export class FolderLockedError extends Error {
  constructor(
    readonly folder: string,
    readonly pid: number,
  ) {
    super(`data folder ${folder} is in use by process ${pid}; stop it, or choose another folder with DATA_DIR`);
    this.name = 'FolderLockedError';
  }
}

export interface FolderLock {
  /** Releases the folder. Idempotent. */
  release(): void;
}

interface Holder {
  readonly pid: number;
  /** Distinguishes a process from a later one with the same pid; empty where the system does not report it. */
  readonly startedAt: string;
}

/**
 * Creates the folder if necessary and locks it for this process. A lock whose process has ended is taken over.
 * @throws FolderLockedError that names the process and the folder
 */
export function lockFolder(folder: string): FolderLock {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'lock');
  const own = JSON.stringify({ pid: process.pid, startedAt: processStart(process.pid) } satisfies Holder);
  while (!succeed(file, own));
  return {
    release: () => {
      if (readIfThere(file) === own) rmSync(file, { force: true });
    },
  };
}

/**
 * One attempt. A stale lock is not removed, because the lock of a quicker process could be removed with it: the file that succeeds it can
 * be created once only, and then replaces it. @returns false if another process was quicker
 */
function succeed(file: string, own: string): boolean {
  const last = lastOfChain(file);
  const holder = last === undefined ? undefined : parseHolder(last);
  if (holder !== undefined && isRunning(holder)) throw new FolderLockedError(dirname(file), holder.pid);
  const created = last === undefined ? file : successorOf(file, last);
  if (!createOnce(created, own)) return false;
  // The locks before it may have been replaced since they were read.
  const isLast = lastOfChain(file) === own;
  if (isLast && created !== file) renameSync(created, file);
  if (!isLast) rmSync(created, { force: true });
  return isLast;
}

/** The text of the last lock; undefined if there is none. */
function lastOfChain(file: string): string | undefined {
  let last = readIfThere(file);
  for (let next = last; next !== undefined; next = readIfThere(successorOf(file, next))) last = next;
  return last;
}

function successorOf(file: string, text: string): string {
  return `${file}.${hash('sha256', text).slice(0, 16)}`;
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Undefined for an incomplete file after a crash. */
function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, startedAt } = JSON.parse(text) as Partial<Holder>;
    return Number.isInteger(pid) ? { pid: pid as number, startedAt: startedAt ?? '' } : undefined;
  } catch {
    return undefined;
  }
}

function isRunning({ pid, startedAt }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return startedAt === processStart(pid);
}

/** The start time of a process in clock ticks (Linux); empty on other systems. */
export function processStart(pid: number): string {
  const stat = readIfThere(`/proc/${pid}/stat`) ?? '';
  // The second field is the program's name in parentheses and may contain blanks; the start time is the 20th field after it.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
