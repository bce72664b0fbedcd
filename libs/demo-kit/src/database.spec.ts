import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { sql } from 'drizzle-orm';
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
    const options = { name: 'demo', folder, schema: {}, migrationsFolder: join(apps, 'inventory-demo/drizzle') };
    const first = await DemoDatabase.open(options);
    await expect(DemoDatabase.open(options)).rejects.toThrow(FolderLockedError);
    await first.db.execute(sql`insert into rocketmq_inbox (key) values ('kept')`);
    await first.close();
    const second = await DemoDatabase.open(options);
    const { rows } = await second.port.transaction((tx) => tx.query('select key from rocketmq_inbox', []));
    expect(rows).toEqual([{ key: 'kept' }]);
    await second.close();
    await second.close();
  });

  it('releases the folder when it cannot be opened', async () => {
    const options = { name: 'demo', folder, schema: {}, migrationsFolder: join(folder, 'missing') };
    await expect(DemoDatabase.open(options)).rejects.toThrow("Can't find meta/_journal.json file");
    await expect(DemoDatabase.open(options)).rejects.toThrow("Can't find meta/_journal.json file");
  });
});

describe('the migrations of the demos', () => {
  it.each(['order-demo', 'inventory-demo'])('of %s contain the tables of the library as it defines them', (app) => {
    const files = ['0001_rocketmq.sql', '0002_rocketmq_outbox.sql'].map((name) => join(apps, app, 'drizzle', name));
    const migration = files.map((file) => readFileSync(file, 'utf8')).join('');
    expect(migration.replaceAll('--> statement-breakpoint\n', '')).toBe(schemaSql());
  });
});
