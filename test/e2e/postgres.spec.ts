// Behavior that only PostgreSQL shows, not PGlite: deadlocks, two concurrent starts, a lost connection, closing a pool.

import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { eq } from 'drizzle-orm';
import { integer, pgTable } from 'drizzle-orm/pg-core';
import pg from 'pg';
import { DemoDatabase } from '../../libs/demo-kit/src/database.js';
import { describeWithPostgres, Postgres } from '../support/postgres.js';

const TIMEOUT_MS = 60_000;
const counters = pgTable('counters', { id: integer('id').primaryKey(), value: integer('value').notNull() });
const schema = { counters };

describeWithPostgres('DemoDatabase on PostgreSQL', () => {
  let postgres: Postgres;
  let url: string;

  beforeAll(async () => {
    postgres = await Postgres.start();
    url = await postgres.createDatabase('demo');
  }, TIMEOUT_MS);
  afterAll(() => postgres?.stop());

  const migrationsOf = (app: string): string => join(process.cwd(), 'apps', app, 'drizzle');
  const open = (app: string): Promise<DemoDatabase<typeof schema>> =>
    DemoDatabase.open({ name: app, url, folder: undefined, schema, migrationsFolder: migrationsOf(app) });

  async function query(text: string): Promise<unknown[]> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query(text);
    await client.end();
    return rows;
  }

  it(
    'takes the migrations of several instances and of both apps at once, each once',
    async () => {
      const apps = ['order-demo', 'order-demo', 'inventory-demo', 'inventory-demo'];
      const opened = await Promise.all(apps.map(open));
      await Promise.all(opened.map((database) => database.close()));
      const tables = await query(`SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`);
      const names = tables.map((row) => (row as { table_name: string }).table_name);
      expect(names).toEqual(expect.arrayContaining(['orders', 'stock', 'rocketmq_inbox']));
    },
    TIMEOUT_MS,
  );

  it('retries a transaction that PostgreSQL aborted because of a deadlock', async () => {
    await query('CREATE TABLE counters (id integer PRIMARY KEY, value integer NOT NULL)');
    await query('INSERT INTO counters VALUES (1, 0), (2, 0)');
    const database = await open('order-demo');
    let runs = 0;
    let arrive = (): void => {};
    const bothHaveOne = new Promise<void>((resolve) => {
      let arrived = 0;
      arrive = () => {
        arrived++;
        if (arrived === 2) resolve();
      };
    });
    const inOrder = (first: number, second: number): Promise<void> =>
      database.transaction(async (tx) => {
        runs++;
        const value = runs;
        await tx.update(counters).set({ value }).where(eq(counters.id, first));
        arrive();
        await bothHaveOne;
        await tx.update(counters).set({ value }).where(eq(counters.id, second));
      });
    await Promise.all([inOrder(1, 2), inOrder(2, 1)]);
    expect(runs).toBe(3);
    const rows = await database.db.select().from(counters);
    expect(new Set(rows.map(({ value }) => value)).size).toBe(1);
    await database.close();
  });

  it('continues with new connections after its connections were lost', async () => {
    const database = await open('order-demo');
    await database.db.select().from(counters);
    await query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'order-demo'`);
    const answers = await Promise.allSettled([database.db.select().from(counters)]);
    // The first transaction may still get the connection that is closing.
    if (answers[0]?.status === 'rejected') await database.db.select().from(counters);
    await database.close();
    await database.close();
  });

  it('closes after the running transaction', async () => {
    const database = await open('order-demo');
    let begin = (): void => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const work = database.transaction(async (tx) => {
      begin();
      await tx.select().from(counters);
      await tx.update(counters).set({ value: 42 });
    });
    await begun;
    await Promise.all([work, database.close()]);
    expect(await query('SELECT DISTINCT value FROM counters')).toEqual([{ value: 42 }]);
  });

  it('reports that there is no server, and leaves no resources open', async () => {
    const gone = url.replace(/host=[^&]*/, 'host=%2Fnowhere');
    const options = { name: 'order-demo', url: gone, folder: undefined, schema, migrationsFolder: '' };
    await expect(DemoDatabase.open(options)).rejects.toThrow('/nowhere');
  });
});
