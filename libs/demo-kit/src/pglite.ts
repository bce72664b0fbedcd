// PGlite: PostgreSQL inside this process, in a locked folder or in memory.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { drizzle } from 'drizzle-orm/pglite';
import { migrate } from 'drizzle-orm/pglite/migrator';
import { lockFolder } from './folder-lock.js';
import type { DatabaseOptions, OpenedDatabase, Schema } from './opened-database.js';

/** @throws FolderLockedError if another process uses the folder */
export async function openPglite<TSchema extends Schema>(
  options: DatabaseOptions<TSchema>,
): Promise<OpenedDatabase<TSchema>> {
  const { folder, schema, migrationsFolder } = options;
  const lock = folder === undefined ? undefined : lockFolder(folder);
  let client: PGlite | undefined;
  const close = async (): Promise<void> => {
    try {
      await client?.close();
    } finally {
      lock?.release();
    }
  };
  try {
    client = await PGlite.create(folder === undefined ? {} : { dataDir: dataDirIn(folder) });
    const db = drizzle(client, { schema });
    await migrate(db, { migrationsFolder });
    return { db, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A subfolder next to the lock, because PGlite requires its own folder. */
function dataDirIn(folder: string): string {
  const dataDir = join(folder, 'postgres');
  mkdirSync(dataDir, { recursive: true });
  return dataDir;
}
