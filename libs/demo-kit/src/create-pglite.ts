// New databases of PGlite in a third of the time. To make one from nothing takes seconds of computing, each time with the same result.

import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';

/**
 * As `PGlite.create`. A new database is a copy of the first one of this user and this version of PGlite, which is kept in the user's cache (40 MB).
 * @param dataDir of a database, or an empty folder; undefined keeps the data in memory
 */
export async function createPglite(dataDir?: string): Promise<PGlite> {
  if (dataDir !== undefined && existsSync(join(dataDir, 'PG_VERSION'))) return PGlite.create({ dataDir });
  const file = join(
    process.env.XDG_CACHE_HOME || join(homedir(), '.cache'),
    'nestjs-rocketmq',
    `pglite-${versionOf()}.tar`,
  );
  const first = await readFile(file).catch(() => undefined);
  const client = await PGlite.create({ dataDir, ...(first && { loadDataDir: new Blob([first]) }) }).catch(
    async (error) => {
      // Whatever is wrong with the copy, the next one is made anew.
      await rm(file, { force: true });
      throw error;
    },
  );
  if (first === undefined) await keep(client, file).catch(() => {});
  return client;
}

async function keep(client: PGlite, file: string): Promise<void> {
  const draft = `${file}.${process.pid}.new`;
  const content = await client.dumpDataDir('none');
  await mkdir(dirname(file), { recursive: true });
  try {
    await writeFile(draft, Buffer.from(await content.arrayBuffer()));
    await rename(draft, file);
  } finally {
    await rm(draft, { force: true });
  }
}

function versionOf(): string {
  const require = createRequire(import.meta.url);
  const entry = require.resolve('@electric-sql/pglite');
  return require(join(dirname(entry), '..', 'package.json')).version;
}
