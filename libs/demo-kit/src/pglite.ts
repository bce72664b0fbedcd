// PGlite: PostgreSQL inside this process, in a locked folder or in memory.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { PGlite } from '@electric-sql/pglite';
import { PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely';
import { createPglite } from './create-pglite.js';
import { type FolderLock, lockFolder } from './folder-lock.js';
import type { OpenedDatabase } from './opened-database.js';

/**
 * @param folder undefined keeps the data in memory
 * @throws FolderLockedError if another process uses the folder
 */
export async function openPglite(folder: string | undefined): Promise<OpenedDatabase> {
  const lock = folder === undefined ? undefined : lockFolder(folder);
  try {
    const client = await createPglite(folder === undefined ? undefined : dataDirIn(folder));
    return { flavor: 'postgresql', dialect: new PostgresDialect({ pool: new SingleConnection(client, lock) }) };
  } catch (error) {
    lock?.release();
    throw error;
  }
}

/** A subfolder next to the lock, because PGlite requires its own folder. */
function dataDirIn(folder: string): string {
  const dataDir = join(folder, 'postgres');
  mkdirSync(dataDir, { recursive: true });
  return dataDir;
}

/** A pool with the one connection that PGlite has: its users take turns. */
class SingleConnection implements PostgresPool {
  private lastTurn: Promise<void> = Promise.resolve();

  constructor(
    private readonly client: PGlite,
    private readonly lock: FolderLock | undefined,
  ) {}

  async connect(): Promise<PostgresPoolClient> {
    let release = (): void => {};
    const before = this.lastTurn;
    this.lastTurn = new Promise((resolve) => {
      release = resolve;
    });
    await before;
    return { query: this.query as PostgresPoolClient['query'], release };
  }

  async end(): Promise<void> {
    await this.lastTurn;
    try {
      await this.client.close();
    } finally {
      this.lock?.release();
    }
  }

  private readonly query = async (text: string, parameters: readonly unknown[]) => {
    const { rows, affectedRows = 0 } = await this.client.query(text, [...parameters]);
    // PGlite does not say which command it was. The number is read for those that change rows only.
    return { command: 'UPDATE', rowCount: affectedRows, rows };
  };
}
