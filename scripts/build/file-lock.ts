// Taking turns between processes by a file that holds the owner's pid. A dead owner's file is taken over.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';

const POLL_MS = 100;
const TIMEOUT_MS = 300_000;

/**
 * Waits for its turn.
 * @returns what ends the turn
 */
export async function lock(file: string): Promise<() => void> {
  for (let waitedMs = 0; waitedMs < TIMEOUT_MS; waitedMs += POLL_MS) {
    if (taken(file)) return () => rmSync(file, { force: true });
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(
    `${file} is held by another process for more than ${TIMEOUT_MS} ms; remove it if that process is gone`,
  );
}

function taken(file: string): boolean {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    if (!ownerIsAlive(file)) rmSync(file, { force: true });
    return false;
  }
}

function ownerIsAlive(file: string): boolean {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    // Another process is between creating the file and writing into it.
    if (pid === 0) return true;
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
