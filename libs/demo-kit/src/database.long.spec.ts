import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { schemaSql } from 'nestjs-rocketmq/sql';
import { DemoDatabase } from './database.js';
import { FolderLockedError } from './folder-lock.js';

const apps = join(process.cwd(), 'apps');
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'demo-database-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('DemoDatabase', () => {
  it('keeps its data, and allows one process at a time', async () => {
    const options = { name: 'demo', folder, migrationsFolder: join(apps, 'inventory-demo/migrations') };
    const first = await DemoDatabase.open(options);
    await expect(DemoDatabase.open(options)).rejects.toThrow(FolderLockedError);
    await sql`insert into rocketmq_inbox (key) values ('kept')`.execute(first.db);
    await first.close();
    const second = await DemoDatabase.open(options);
    const { rows } = await second.port.transaction((tx) => tx.query('select key from rocketmq_inbox', []));
    expect(rows).toEqual([{ key: 'kept' }]);
    await second.close();
    await second.close();
  });

  it('releases the folder when it cannot be opened', async () => {
    const options = { name: 'demo', folder, migrationsFolder: join(folder, 'missing') };
    await expect(DemoDatabase.open(options)).rejects.toThrow('ENOENT');
    await expect(DemoDatabase.open(options)).rejects.toThrow('ENOENT');
  });
});

describe('DATABASE_URL', () => {
  it.each(['mssql://admin:secret@host/orders', 'secret', 'mysql://admin:secret@host:port/orders'])(
    'is rejected without showing its value: %s',
    async (url) => {
      const rejected = DemoDatabase.open({ name: 'demo', url, folder: undefined, migrationsFolder: apps });
      await expect(rejected).rejects.toThrow(/^DATABASE_URL must be postgres:\/\/…, mysql:\/\/… or mariadb:\/\/…/);
      await expect(rejected).rejects.not.toThrow('secret');
    },
  );
});

describe('the migrations of the demos', () => {
  const migrations = ['order-demo', 'inventory-demo'].flatMap((app) =>
    (['postgresql', 'mysql'] as const).map((dialect) => [app, dialect] as const),
  );
  it.each(migrations)('of %s on %s contain the tables of the library as it defines them', (app, dialect) => {
    const file = join(apps, app, 'migrations', dialect, '0002_rocketmq.sql');
    expect(readFileSync(file, 'utf8')).toBe(schemaSql({ dialect, toVersion: 1 }));
  });
});
