// Behavior that only a database server shows, not PGlite: deadlocks, two concurrent starts, a lost connection, closing a pool.

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type RawBuilder, sql } from 'kysely';
import type { OrderTables } from '../../apps/order-demo/src/database/tables.js';
import { DemoDatabase } from '../../libs/demo-kit/src/database.js';
import { flavorOf } from '../../libs/demo-kit/src/database-url.js';
import type { DatabaseServer } from '../../tools/servers/database-server.js';
import { soon } from '../../tools/until.js';
import { describeOnServers } from './support/database-servers.js';

const TIMEOUT_MS = 60_000;

interface Tables {
  counters: { id: number; value: number };
}

describeOnServers('DemoDatabase', (kind) => {
  let server: DatabaseServer;
  let url: string;
  /** Sees what another instance has done. */
  let observer: DemoDatabase<Tables>;

  const migrationsOf = (app: string): string => join(process.cwd(), 'apps', app, 'migrations');
  const open = (app: string, at = url): Promise<DemoDatabase<Tables>> =>
    DemoDatabase.open({ name: app, url: at, folder: undefined, migrationsFolder: migrationsOf(app) });

  beforeAll(async () => {
    server = await kind.start([kind.farFromUtc]);
    url = await server.createDatabase('demo');
    observer = await open('inventory-demo');
    await sql`CREATE TABLE counters (id integer PRIMARY KEY, value integer NOT NULL)`.execute(observer.db);
    await observer.db
      .insertInto('counters')
      .values([1, 2].map((id) => ({ id, value: 0 })))
      .execute();
  }, TIMEOUT_MS);
  afterAll(async () => {
    await observer?.close();
    await server?.stop();
  }, TIMEOUT_MS);

  async function rowsOf(database: DemoDatabase<Tables>, query: RawBuilder<unknown>): Promise<unknown[]> {
    return (await query.execute(database.db)).rows;
  }

  async function tablesOf(database: DemoDatabase<Tables>): Promise<string[]> {
    return (await database.db.introspection.getTables()).map(({ name }) => name);
  }

  /** Ends the connections of all others, as a restart of the server does. */
  async function endOtherConnections(): Promise<void> {
    if (flavorOf(url) === 'postgresql') {
      await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'order-demo'`.execute(
        observer.db,
      );
      return;
    }
    const others = sql`SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()`;
    for (const { id } of (await rowsOf(observer, others)) as { id: number }[]) {
      await sql`KILL CONNECTION ${sql.lit(id)}`.execute(observer.db);
    }
  }

  it(
    'takes the migrations of several instances and of both apps at once, each once',
    async () => {
      const shared = await server.createDatabase('shared');
      const apps = ['order-demo', 'order-demo', 'inventory-demo', 'inventory-demo'];
      const opened = await Promise.all(apps.map((app) => open(app, shared)));
      const tables = await tablesOf(opened[0] as DemoDatabase<Tables>);
      await Promise.all(opened.map((database) => database.close()));
      expect(tables).toEqual(expect.arrayContaining(['orders', 'stock', 'rocketmq_inbox']));
    },
    TIMEOUT_MS,
  );

  it('repeats a migration of which a killed process has run only a part', async () => {
    const half = await server.createDatabase('half');
    const database = await open('inventory-demo', half);
    const file = join(migrationsOf('order-demo'), flavorOf(half), '0001_orders.sql');
    const [first = ''] = readFileSync(file, 'utf8').split(/;$/m);
    await sql.raw(first).execute(database.db);
    expect(await tablesOf(database)).not.toContain('order_history');
    await (await open('order-demo', half)).close();
    expect(await tablesOf(database)).toEqual(expect.arrayContaining(['orders', 'order_history', 'rocketmq_inbox']));
    await database.close();
  });

  it('retries a transaction that was aborted because of a deadlock', async () => {
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
        await tx.updateTable('counters').set({ value }).where('id', '=', first).execute();
        arrive();
        await bothHaveOne;
        await tx.updateTable('counters').set({ value }).where('id', '=', second).execute();
      });
    await Promise.all([inOrder(1, 2), inOrder(2, 1)]);
    expect(runs).toBe(3);
    const rows = await database.db.selectFrom('counters').selectAll().execute();
    expect(new Set(rows.map(({ value }) => value)).size).toBe(1);
    await database.close();
  });

  it('continues with new connections after its connections were lost', async () => {
    const database = await open('order-demo');
    const read = () => database.db.selectFrom('counters').selectAll().execute();
    await read();
    await endOtherConnections();
    // Queries may still get a connection of which the client does not know yet that it was closed.
    const works = () =>
      read().then(
        () => true,
        () => false,
      );
    await soon(works);
    await database.close();
    await database.close();
  });

  it('fails a transaction whose connection is lost, and nothing else', async () => {
    const database = await open('order-demo');
    const lost = database.transaction(async (tx) => {
      await tx.updateTable('counters').set({ value: 13 }).where('id', '=', 1).execute();
      await endOtherConnections();
      await tx.updateTable('counters').set({ value: 13 }).where('id', '=', 2).execute();
    });
    await expect(lost).rejects.toThrow();
    const rows = await database.db.selectFrom('counters').selectAll().execute();
    expect(rows.map(({ value }) => value)).not.toContain(13);
    await database.close();
  });

  it('keeps times in UTC and to the millisecond, whatever the zones of the server and of this process', async () => {
    const database = await DemoDatabase.open<OrderTables>({
      name: 'order-demo',
      url,
      folder: undefined,
      migrationsFolder: migrationsOf('order-demo'),
    });
    const at = new Date('2026-03-29T01:30:00.123Z');
    const order = { id: randomUUID(), sku: 'book', quantity: 1, status: 'PAID' as const, createdAt: at, expiresAt: at };
    await database.db.insertInto('orders').values(order).execute();
    const read = await database.db.selectFrom('orders').selectAll().where('id', '=', order.id).executeTakeFirst();
    expect(read).toEqual({ ...order, timeoutMessageId: null, recallHandle: null });
    const inUtc = flavorOf(url) === 'mysql' ? sql`created_at` : sql`created_at AT TIME ZONE 'UTC'`;
    const texts = await rowsOf(
      observer,
      sql`SELECT CAST(${inUtc} AS char(23)) AS text FROM orders WHERE id = ${order.id}`,
    );
    expect(texts).toEqual([{ text: '2026-03-29 01:30:00.123' }]);
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
      await tx.selectFrom('counters').selectAll().execute();
      await tx.updateTable('counters').set({ value: 42 }).execute();
    });
    await begun;
    await Promise.all([work, database.close()]);
    const values = await observer.db.selectFrom('counters').select('value').distinct().execute();
    expect(values).toEqual([{ value: 42 }]);
  });

  it('reports that there is no server, without the password, and leaves no resources open', async () => {
    const gone = url.replace(/(host|socketPath)=[^&]*/, '$1=%2Fnowhere').replace('@', ':secret@');
    await expect(open('order-demo', gone)).rejects.toThrow('/nowhere');
    await expect(open('order-demo', gone)).rejects.not.toThrow('secret');
  });
});
