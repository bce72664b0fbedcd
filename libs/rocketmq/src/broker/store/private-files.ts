// Files of a store on disk: readable by nobody but its user, and never somewhere else.

import { constants } from 'node:fs';
import { chmod, type FileHandle, open, stat } from 'node:fs/promises';
import { StateError } from '../../support/errors.js';

export const PRIVATE_FILE = 0o600;
export const PRIVATE_FOLDER = 0o700;
/** What others may do. */
const OTHERS = 0o077;
/** Windows has no such flag, and restricts the creation of links. */
const NO_LINK = constants.O_NOFOLLOW ?? 0;

/**
 * Opens a file to be read and written.
 * @returns undefined for a file that does not exist and must not be created
 * @throws StateError `DATA_FOREIGN` for what is no file: a link would lead to one that is not the broker's
 */
export async function openPrivate(path: string, which: 'found' | 'found or new'): Promise<FileHandle | undefined> {
  const create = which === 'found' ? 0 : constants.O_CREAT;
  try {
    const file = await open(path, constants.O_RDWR | create | NO_LINK, PRIVATE_FILE);
    await makePrivate(path, PRIVATE_FILE);
    return file;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && which === 'found') return undefined;
    if (code !== 'ELOOP' && code !== 'EISDIR') throw error;
    const what = code === 'ELOOP' ? 'a symbolic link, which is not followed' : 'a folder';
    throw new StateError(
      'DATA_FOREIGN',
      `${path} is ${what}; remove it, or choose another folder. Nothing was changed`,
    );
  }
}

/** Where it belongs to another user, or the file system knows no modes, it stays as it is. */
export async function makePrivate(path: string, wanted: number): Promise<void> {
  const { mode } = await stat(path);
  if ((mode & OTHERS) !== 0) await chmod(path, wanted).catch(() => {});
}
