// Creating a file that only one may create, that nobody sees half written, and that survives a crash right after.

import { closeSync, fsyncSync, linkSync, openSync, rmSync, writeSync } from 'node:fs';

/** Writes a file durably; false when it is there already. */
export function createOnce(file: string, content: string): boolean {
  // Linked when it is whole: who found it empty would take it for what a crash has left.
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
