// Allows one process at a time in a data folder. PGlite does not, and two processes would corrupt its data.

import { mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
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

interface FolderLock {
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
  while (!createOnce(file, own)) {
    const held = readIfThere(file);
    if (held === undefined) continue;
    const holder = parseHolder(held);
    if (holder !== undefined && isRunning(holder)) throw new FolderLockedError(folder, holder.pid);
    removeStale(file, held);
  }
  return {
    release: () => {
      if (readIfThere(file) === own) rmSync(file, { force: true });
    },
  };
}

/** Two processes may find the same stale lock. The one that renames it verifies what it renamed, and restores a fresh lock. */
function removeStale(file: string, stale: string): void {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const moved = readIfThere(aside);
  if (moved !== undefined && moved !== stale) createOnce(file, moved);
  rmSync(aside, { force: true });
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
