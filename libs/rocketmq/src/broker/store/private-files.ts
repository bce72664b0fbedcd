// Files of a store on disk: accessible to the broker's user only, and never links to files elsewhere.

import { constants } from 'node:fs';
import { chmod, type FileHandle, open, stat } from 'node:fs/promises';
import { StateError } from '../../support/errors.js';
import { systemRandom } from '../../support/random.js';

export const PRIVATE_FILE = 0o600;
export const PRIVATE_FOLDER = 0o700;
/** The permission bits of group and others. */
const OTHERS = 0o077;
/** Windows does not have this flag; it restricts the creation of links. */
const NO_LINK = constants.O_NOFOLLOW ?? 0;

/**
 * Opens a file for reading and writing.
 * @returns undefined for a file that does not exist and must not be created
 * @throws StateError `DATA_FOREIGN` for anything but a regular file: a link could refer to a file that is not the broker's
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

/** Sets the mode. Does nothing if the file belongs to another user or the file system has no modes. */
export async function makePrivate(path: string, wanted: number): Promise<void> {
  const { mode } = await stat(path);
  if ((mode & OTHERS) !== 0) await chmod(path, wanted).catch(() => {});
}

/** Writes a file under another name, completely and to disk. @returns its path */
export async function writeDraft(file: string, text: string): Promise<string> {
  const draft = `${file}.${systemRandom.uuid()}.new`;
  const handle = await open(draft, 'wx', PRIVATE_FILE);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return draft;
}

/** Syncs the folder, so that new names in it are on disk. On Windows folders cannot be synced. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r').catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

export function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

/** The JSON object in a text, or an empty one. */
export function parsed(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
