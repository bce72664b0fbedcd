// Creating a file that only one may create, and that survives a crash right after.

import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';

/** Writes a file durably; false when it is there already. */
export function createOnce(file: string, content: string): boolean {
  let handle: number;
  try {
    handle = openSync(file, 'wx');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
  writeSync(handle, content);
  fsyncSync(handle);
  closeSync(handle);
  return true;
}
