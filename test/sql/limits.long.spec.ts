// The store of limits over a group on real databases. Processes that share limits are in limit-kills.long.spec.ts.

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SECOND_MS } from 'nestjs-rocketmq/client';
import { LimitStore } from 'nestjs-rocketmq/sql';
import { type OpenDatabase, openDatabase } from '../../tools/servers/sql-databases.js';
import { levelsOf, MYSQL, POSTGRESQL, type Server } from '../../tools/servers/sql-servers.js';
import { describeWithMySql } from '../fixtures/mysql.js';
import { describeWithPostgres } from '../fixtures/postgres.js';

describeWithPostgres('limits over a group on PostgreSQL', () => atEachLevel(POSTGRESQL));
describeWithMySql('limits over a group on', (product) => atEachLevel(MYSQL[product]));

function atEachLevel(server: Server): void {
  describe.each(levelsOf(server))('under %s', (_, setting) => suite(server, setting));
}

function suite({ start }: Server, isolation: string): void {
  let server: Awaited<ReturnType<Server['start']>>;
  let database: OpenDatabase;
  let store: LimitStore;

  beforeAll(async () => {
    server = await start(isolation);
    database = await openDatabase(server.place);
    store = new LimitStore({ database: database.port });
  });
  afterAll(async () => {
    await database?.close();
    await server?.stop();
  });

  it('keeps a state of any key, and its own time', async () => {
    const key = `größe/☕ '"\\-😀 `;
    const before = await store.read(key);
    expect(before).toEqual({ nowMs: expect.any(Number), version: 0, state: undefined });
    expect(Math.abs(before.nowMs - Date.now())).toBeLessThan(10 * SECOND_MS);
    const state = JSON.stringify([['\\"', 1.5, 'x'.repeat(100_000)]]);
    expect([await store.write(key, 0, state), await store.write(key, 0, '[]')]).toEqual([true, false]);
    expect(await store.read(key)).toMatchObject({ version: 1, state });
    expect([await store.write(key, 1, '[]'), await store.write(key, 1, '[1]')]).toEqual([true, false]);
    const after = await store.read(key);
    expect(after).toMatchObject({ version: 2, state: '[]' });
    expect(after.nowMs).toBeGreaterThan(before.nowMs);
    expect(await store.read(key.trim())).toMatchObject({ version: 0 });
  });

  it('lets one of several writers be first, each time', async () => {
    const add = async (): Promise<void> => {
      for (;;) {
        const { version, state = '0' } = await store.read('counted');
        if (await store.write('counted', version, `${Number(state) + 1}`)) return;
      }
    };
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        for (let count = 0; count < 10; count++) await add();
      }),
    );
    expect(await store.read('counted')).toMatchObject({ version: 80, state: '80' });
  });
}
