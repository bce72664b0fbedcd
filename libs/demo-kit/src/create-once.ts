// Creates a file atomically and durably: only one process succeeds, and none sees an incomplete file.

import { closeSync, fsyncSync, linkSync, openSync, rmSync, writeSync } from 'node:fs';

/** Writes a file durably; returns false if it exists. */
export function createOnce(file: string, content: string): boolean {
  // Linked when it is complete: an empty file would look like the remains of a crash.
  const draft = `${file}.${process.pid}.new`;
  try {
    writeDurably(draft, content);
    linkSync(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function writeDurably(file: string, content: string): void {
  const handle = openSync(file, 'w');
  try {
    writeSync(handle, content);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
