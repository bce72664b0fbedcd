// Which transaction of @nestjs-cls/transactional a message belongs to, when there are several, and when one has ended. On PostgreSQL.

import { AsyncResource } from 'node:async_hooks';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import { sql } from 'drizzle-orm';
import { currentTransaction } from 'nestjs-rocketmq';
import {
  drizzleDatabase,
  drizzleExecutor,
  type SqlDatabase,
  typeormDatabase,
  typeormExecutor,
} from 'nestjs-rocketmq/sql';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { column, TABLES } from '../../tools/servers/sql-databases.js';
import { closeApp } from '../fixtures/close-app.js';
import { describeWithPostgres } from '../fixtures/postgres.js';
import { type ClsKind, Orders, startOrders } from './support/cls-application.js';
import { TransactionalAdapterDrizzleOrm, TransactionalAdapterTypeOrm } from './support/cls-packages.js';
import { PostgresClients } from './support/postgres-clients.js';

describeWithPostgres('transactions of @nestjs-cls/transactional', () => {
  let clients: PostgresClients;
  let broker: TestBroker;
  let app: TestingModule;
  let orders: Orders;
  let port: SqlDatabase;

  beforeAll(async () => {
    clients = await PostgresClients.start({ tables: TABLES });
  });
  afterAll(() => clients?.stop());
  beforeEach(async () => {
    broker = await TestBroker.start({ manualClock: true });
    await start({
      adapter: (dataSourceToken) => new TransactionalAdapterTypeOrm({ dataSourceToken }),
      connection: () => clients.dataSource,
      executor: typeormExecutor,
      port: () => typeormDatabase(clients.dataSource),
    });
  });
  afterEach(async () => {
    await closeApp(app);
    await broker.stop();
    for (const table of ['orders', 'rocketmq_outbox', 'rocketmq_inbox', 'rocketmq_transaction_log'])
      await port.transaction((tx) => tx.query(`DELETE FROM ${table}`, []));
  });

  async function start(kind: ClsKind): Promise<void> {
    port = kind.port();
    app = await startOrders(kind, broker);
    orders = app.get(Orders);
  }

  async function seen(): Promise<Record<'rows' | 'messages' | 'log', unknown[]>> {
    await broker.idle();
    return {
      rows: (await column(port, 'SELECT id FROM orders')).sort(),
      messages: broker.messages('orders').map(({ body }) => JSON.parse(body.toString()).id),
      log: await column(port, 'SELECT resolution FROM rocketmq_transaction_log'),
    };
  }

  const fail = (): never => {
    throw new Error('no stock');
  };

  const separate = () => orders.separate(() => orders.insert('audit'));
  const suspended = () => orders.suspended(() => orders.around(() => orders.insert('audit')));

  it.each([
    ['RequiresNew', separate],
    ['NotSupported', suspended],
  ])('keep a method in the one around it, whatever is separate inside of it: %s', async (_name, inside) => {
    let during: unknown;
    const failing = orders.around(async () => {
      await orders.placeInside('1', inside);
      during = await seen();
      fail();
    });
    await expect(failing).rejects.toThrow('no stock');
    expect(during).toMatchObject({ rows: ['audit'], messages: [] });
    expect(await seen()).toEqual({ rows: ['audit'], messages: [], log: ['rollback'] });
  });

  it('do not record a method that fails after a separate one inside of it', async () => {
    const failing = orders.around(() =>
      orders.placeInside('1', async () => {
        await separate();
        fail();
      }),
    );
    await expect(failing).rejects.toThrow('no stock');
    expect(await seen()).toEqual({ rows: ['audit'], messages: [], log: ['rollback'] });
  });

  it('may have several savepoints in a method', async () => {
    await orders.around(() =>
      orders.placeInside('1', async () => {
        await orders.nested(() => orders.insert('2'));
        await orders.nested(() => orders.insert('3'));
      }),
    );
    expect(await seen()).toEqual({ rows: ['1', '2', '3'], messages: ['1'], log: ['commit'] });
  });

  it('do not record a method that fails after a savepoint, although its caller goes on', async () => {
    await orders.around(async () => {
      const failing = orders.placeInside('1', async () => {
        await orders.nested(() => orders.insert('2'));
        fail();
      });
      await expect(failing).rejects.toThrow('no stock');
    });
    await broker.advance(120_000);
    expect(await seen()).toEqual({ rows: ['1', '2'], messages: [], log: ['rollback'] });
  });

  it('record nothing that could say commit of a method that calls rollback() after a savepoint', async () => {
    await orders.around(() =>
      orders.placeInside('1', async () => {
        await orders.nested(() => orders.insert('2'));
        currentTransaction().rollback();
      }),
    );
    expect((await seen()).log).not.toContain('commit');
  });

  it('are rejected when two of them run at once in one method', async () => {
    const result = orders.inSteps('1', async () => {
      const both = [orders.around(() => orders.insert('1')), orders.around(() => orders.insert('2'))];
      for (const one of await Promise.allSettled(both)) if (one.status === 'rejected') throw one.reason;
    });
    await expect(result).rejects.toMatchObject({ code: 'SEVERAL_TRANSACTIONS', retryable: false });
    expect((await seen()).rows).toHaveLength(1);
  });

  it.each([
    ['succeeded', () => {}],
    ['failed', fail],
  ])('are none of the business of a method that has %s, in what it has left running', async (_name, end) => {
    let later: (() => Promise<unknown>) | undefined;
    await orders
      .place('1', () => {
        later = AsyncResource.bind(() => orders.around(() => orders.insert('later'))) as () => Promise<unknown>;
        end();
      })
      .catch(() => undefined);
    const before = await seen();
    await later?.();
    expect(await seen()).toEqual({ ...before, rows: [...before.rows, 'later'] });
  });

  it.each([
    ['an outbox', () => orders.addOutside(), 'rocketmq_outbox'],
    ['an inbox', () => orders.once('step'), 'rocketmq_inbox'],
  ])('that have ended are rejected by %s', async (_name, write, table) => {
    await closeApp(app);
    const { drizzle } = clients;
    await start({
      adapter: (drizzleInstanceToken) => new TransactionalAdapterDrizzleOrm({ drizzleInstanceToken }),
      connection: () => drizzle,
      executor: (tx) => drizzleExecutor(tx, sql),
      port: () => drizzleDatabase(drizzle, sql),
    });
    let proceed = (): void => {};
    const answered = new Promise<void>((resolve) => {
      proceed = resolve;
    });
    let late: Promise<unknown> | undefined;
    const failing = orders.around(() => {
      late = orders.around(async () => {
        await answered;
        await write();
      });
      return Promise.all([late, orders.insert('1').then(fail)]);
    });
    await expect(failing).rejects.toThrow('no stock');
    proceed();
    await expect(late).rejects.toMatchObject({
      code: 'TRANSACTION_ENDED',
      message: expect.stringContaining('nothing was written'),
    });
    expect(await column(port, `SELECT 1 AS id FROM ${table}`)).toEqual([]);
  });
});
