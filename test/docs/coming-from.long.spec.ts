// Runs the migration examples and those of failure handling.

import { afterEach, describe, expect, it } from '@jest/globals';
import type { Type } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { MINUTE_MS, RocketMQModule } from 'nestjs-rocketmq';
import { TestBroker, type TestBrokerOptions } from 'nestjs-rocketmq/testing';
import { CartReminders } from '../../docs/examples/from-bullmq.js';
import { OrderView } from '../../docs/examples/from-kafka.js';
import { Ledger } from '../../docs/examples/from-rabbitmq.js';
import { Confirmation, Shipping } from '../../docs/examples/from-spring.js';
import { Handover } from '../../docs/examples/order-handover.js';
import '../../docs/examples/first-steps.test.js';
import { ParcelShipped } from '../../docs/examples/spring-bodies.js';

describe('bodies of Spring', () => {
  const parse = async (body: string): Promise<unknown> => {
    const decoded = ParcelShipped.codec?.decode(Buffer.from(body));
    return ParcelShipped.schema?.['~standard'].validate(decoded);
  };

  it('are read as the page says', async () => {
    const body =
      '{"parcelId":1790000000000000001,"createdAt":1772366400123,"shippedAt":1772366400.123000000,"deliveredAt":null,' +
      '"pickedUpAt":[2026,3,1,12,0,0,123000000]}';
    expect(await parse(body)).toEqual({
      value: {
        parcelId: 1_790_000_000_000_000_001n,
        createdAt: new Date('2026-03-01T12:00:00.123Z'),
        shippedAt: new Date('2026-03-01T12:00:00.123Z'),
        deliveredAt: null,
        pickedUpAt: new Date('2026-03-01T07:00:00.123Z'),
      },
    });
  });

  it.each([
    ['createdAt', ['null', '"2026-03-01"', '9e15']],
    ['shippedAt', ['null', '"2026-03-01"', '1e300']],
    ['pickedUpAt', ['null', '"2026-03-01"', '[2026,13,1,12,0]']],
    ['parcelId', ['null', '""', 'true', '[]', '"0x10"', '0.5']],
  ])('are invalid when %s has another form', async (field, values) => {
    for (const value of values) {
      const all = { parcelId: '1', createdAt: '1', shippedAt: '1', deliveredAt: 'null', pickedUpAt: '[2026,3,1,12,0]' };
      const members = Object.entries({ ...all, [field]: value }).map(([name, text]) => `"${name}":${text}`);
      expect(await parse(`{${members.join(',')}}`)).toMatchObject({
        issues: expect.arrayContaining([expect.objectContaining({ path: [field] })]),
      });
    }
  });
});

describe('the migration examples', () => {
  let broker: TestBroker;
  let app: TestingModule;

  async function start(providers: Type[], options: TestBrokerOptions = {}): Promise<void> {
    broker = await TestBroker.start({ manualClock: true, ...options });
    const { endpoints, clock } = broker;
    const rocketmq = RocketMQModule.forRoot({ endpoints, clock, logger: silent, consumerGroup: 'examples' });
    app = await Test.createTestingModule({ imports: [rocketmq], providers }).compile();
    await app.init();
  }

  afterEach(async () => {
    await app.close();
    await broker.stop();
  });

  it('kafkajs: the final state of an order is that of its last change', async () => {
    await start([OrderView], { groups: [{ name: 'order-view', fifo: true }] });
    const view = app.get(OrderView);
    for (const state of ['placed', 'paid', 'shipped']) await view.change('order-1', state);
    await broker.idle();
    expect([...view.states]).toEqual([['order-1', 'shipped']]);
  });

  it('RabbitMQ: books valid invoices and dead-letters others', async () => {
    await start([Ledger], { topics: [{ name: 'dead-invoices' }] });
    const ledger = app.get(Ledger);
    for (const number of ['7', '']) await ledger.pay(number);
    await broker.advance(10 * MINUTE_MS);
    expect(ledger.booked).toEqual(['7']);
    expect(broker.messages('dead-invoices').map(({ properties }) => properties.originAttempts)).toEqual(['4']);
  });

  it('BullMQ: a customer who has bought gets no reminder', async () => {
    await start([CartReminders], { recallEnabled: true });
    const reminders = app.get(CartReminders);
    for (const customer of ['Ada', 'Bob']) await reminders.remind(customer);
    await reminders.bought('Bob');
    await broker.advance(31 * MINUTE_MS);
    expect(reminders.mails).toEqual(['Ada']);
  });

  it('rocketmq-spring: a confirmed order is shipped', async () => {
    await start([Confirmation, Shipping]);
    await app.get(Confirmation).confirm('order-1');
    await expect(app.get(Confirmation).confirm('canceled')).rejects.toThrow('nothing to confirm');
    await broker.idle();
    expect(app.get(Shipping).shipped).toEqual(['order-1']);
  });

  it('failure handling: a lost answer causes no second order', async () => {
    await start([Handover]);
    const handover = app.get(Handover);
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'dropResponse' }, times: 3 });
    expect(await handover.handOver('order-1')).toBe(true);
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code: 'FORBIDDEN' } });
    expect(await handover.handOver('order-2')).toBe(false);
    await broker.idle();
    expect(handover.handled).toEqual(['order-1']);
    expect(broker.messages('handed-over').length).toBeGreaterThan(1);
  });
});

const silent = { debug() {}, info() {}, warn() {}, error() {} };
