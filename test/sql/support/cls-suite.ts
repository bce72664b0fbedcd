// The kit with `@nestjs-cls/transactional`: nobody passes a transaction on.

import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import { currentTransaction, RocketMQProducer } from 'nestjs-rocketmq';
import { Inbox, retryTransaction, type SqlDatabase } from 'nestjs-rocketmq/sql';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { column } from '../../../tools/servers/sql-databases.js';
import { closeApp } from '../../fixtures/close-app.js';
import { type ClsKind, Orders, Placed, startOrders } from './cls-application.js';

/** On empty tables, with a table `orders`. */
export function clsSuite(kind: ClsKind): void {
  let broker: TestBroker;
  let app: TestingModule;
  let orders: Orders;
  let port: SqlDatabase;

  beforeEach(async () => {
    broker = await TestBroker.start({ manualClock: true });
    port = kind.port();
    app = await startOrders(kind, broker);
    orders = app.get(Orders);
  });
  afterEach(async () => {
    await closeApp(app);
    await broker.stop();
    for (const table of [
      'orders',
      'rocketmq_outbox',
      'rocketmq_schedule',
      'rocketmq_schedule_state',
      'rocketmq_inbox',
      'rocketmq_transaction_log',
    ])
      await port.transaction((tx) => tx.query(`DELETE FROM ${table}`, []));
  });

  /** What was committed, and what is visible, without a check of the server. */
  async function seen(): Promise<{ rows: string[]; messages: string[]; half: number }> {
    await broker.idle();
    return {
      rows: (await column(port, 'SELECT id FROM orders')).sort(),
      messages: broker
        .messages('orders')
        .map(({ body }) => String(JSON.parse(body.toString()).id))
        .sort(),
      half: broker.halfMessages().length,
    };
  }
  const both = (...ids: string[]) => ({ rows: ids, messages: ids, half: 0 });

  it('records a method above @Transactional(), in its transaction', async () => {
    expect(await orders.place('1')).toBe('placed 1');
    expect(await seen()).toEqual(both('1'));
    expect(await column(port, 'SELECT resolution FROM rocketmq_transaction_log')).toEqual(['commit']);
  });

  it('drops the message of a method that fails, with its rows', async () => {
    const failing = orders.place('1', () => {
      throw new Error('no money');
    });
    await expect(failing).rejects.toThrow('no money');
    expect(await seen()).toEqual(both());
  });

  it('records a message that the method prepares itself', async () => {
    await orders.prepareLate('1');
    expect(await seen()).toEqual(both('1'));
  });

  it('records nothing after rollback() of the current transaction', async () => {
    await orders.place('1', () => currentTransaction().rollback());
    expect(await seen()).toEqual({ rows: ['1'], messages: [], half: 0 });
    expect(await column(port, 'SELECT resolution FROM rocketmq_transaction_log')).toEqual([]);
  });

  it('ends the messages of methods inside of @Transactional() when that has ended', async () => {
    await orders.around(async () => {
      await orders.placeInside('1');
      await orders.place('2');
      expect(broker.halfMessages()).toHaveLength(2);
      expect(broker.messages('orders')).toEqual([]);
    });
    expect(await seen()).toEqual(both('1', '2'));
  });

  it('drops the messages of methods inside of a @Transactional() that fails later', async () => {
    const failing = orders.around(async () => {
      await orders.placeInside('1');
      await orders.place('2');
      throw new Error('no stock');
    });
    await expect(failing).rejects.toThrow('no stock');
    expect(await seen()).toEqual(both());
  });

  it('drops the message of a savepoint that is rolled back, and keeps the rest', async () => {
    await orders.around(async () => {
      await orders.placeInside('1');
      const nested = orders.nested(async () => {
        await orders.placeInside('2');
        throw new Error('not this one');
      });
      await nested.catch(() => undefined);
    });
    expect(await seen()).toEqual(both('1'));
  });

  it('keeps the record out of savepoints inside of the method', async () => {
    await orders.place('1', async () => {
      const nested = orders.nested(async () => {
        await orders.insert('2');
        throw new Error('not this one');
      });
      await nested.catch(() => undefined);
    });
    expect(await seen()).toEqual(both('1'));
  });

  it('fails a method whose record is in a savepoint that was rolled back', async () => {
    const failing = orders.place('1', async () => {
      const nested = orders.nested(async () => {
        await orders.recordHere();
        throw new Error('not this one');
      });
      await nested.catch(() => undefined);
    });
    await expect(failing).rejects.toMatchObject({ code: 'RECORD_ROLLED_BACK' });
    expect((await seen()).messages).toEqual([]);
  });

  it('rejects a method without any transaction of the connection', async () => {
    const failing = orders.placeInside('1');
    await expect(failing).rejects.toMatchObject({
      code: 'NOT_RECORDED',
      message: expect.stringContaining('Put @Transactional() below @TransactionalSend'),
    });
    expect(await seen()).toEqual(both());
  });

  it('rejects a second database transaction in one method', async () => {
    const failing = orders.inSteps(
      '1',
      () => orders.around(() => orders.insert('1')),
      () => orders.around(() => orders.insert('2')),
    );
    await expect(failing).rejects.toMatchObject({ code: 'SEVERAL_TRANSACTIONS' });
    expect((await seen()).rows).toEqual(['1']);
  });

  it('repeats a database transaction that failed', async () => {
    let runs = 0;
    await orders.inSteps('1', () =>
      retryTransaction(() =>
        orders.around(async () => {
          await orders.insert('1');
          runs++;
          if (runs < 3) throw Object.assign(new Error('deadlock'), { code: '40P01' });
        }),
      ),
    );
    expect(await seen()).toEqual(both('1'));
  });

  it('records the second database transaction when the first one failed', async () => {
    await orders.inSteps(
      '1',
      () => orders.around(() => orders.recordHere().then(() => Promise.reject(new Error('no')))).catch(() => undefined),
      () => orders.around(() => orders.insert('1')),
    );
    expect(await seen()).toEqual(both('1'));
  });

  it('does not ask for a record where a @TransactionChecker answers', async () => {
    await orders.withOwnChecker('1');
    await broker.idle();
    expect(broker.messages('checked')).toHaveLength(1);
  });

  it('works with transactions of the producer', async () => {
    await app
      .get(RocketMQProducer)
      .transaction({ topic: Placed, body: { id: '1' } }, () => orders.around(() => orders.insert('1')));
    expect(await seen()).toEqual(both('1'));
  });

  it('lets inbox, outbox and schedule find the transaction', async () => {
    expect([await orders.once('1'), await orders.once('1')]).toEqual([true, false]);
    await expect(orders.announce(true)).rejects.toThrow('no announcement');
    expect(await orders.forget()).toBe(false);
    await orders.announce(false);
    expect(await column(port, 'SELECT count(*) FROM rocketmq_outbox')).toEqual(['1']);
    expect([await orders.forget(), await orders.forget()]).toEqual([true, false]);
  });

  it('rejects inbox, outbox and schedule outside of @Transactional()', async () => {
    for (const outside of [orders.addOutside(), orders.remind()])
      await expect(outside).rejects.toMatchObject({ code: 'NO_TRANSACTION' });
    const inside = orders.around(() => orders.suspended(() => orders.addOutside()));
    await expect(inside).rejects.toThrow('call this in a method with @Transactional()');
    await expect(new Inbox().once('1', async () => {})).rejects.toThrow('no option transactions');
  });

  const itSeparately = kind.hasOneConnection === true ? it.skip : it;
  itSeparately('records in the transaction of the method, not in a separate one in it', async () => {
    await orders.place('1', () => orders.separate(() => orders.insert('2')).catch(() => undefined));
    expect(await seen()).toEqual({ rows: ['1', '2'], messages: ['1'], half: 0 });
  });

  it('names an adapter that is not wrapped', async () => {
    await closeApp(app);
    app = await startOrders(kind, broker, false);
    orders = app.get(Orders);
    await expect(orders.place('1')).rejects.toMatchObject({ code: 'ADAPTER_NOT_WRAPPED' });
    await expect(orders.announce(false)).rejects.toMatchObject({ code: 'ADAPTER_NOT_WRAPPED' });
    expect(await seen()).toEqual(both());
  });
}
