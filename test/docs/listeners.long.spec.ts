// The examples of docs/guide/listeners.md, run.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { MINUTE_MS, RocketMQListeners, RocketMQModule, RocketMQProducer } from 'nestjs-rocketmq';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { TemperatureRead, Thermometers } from '../../docs/examples/batch-listener.js';
import { CardCharged, Ledger, LedgerModule } from '../../docs/examples/failure-policy.js';
import { OrderDesk } from '../../docs/examples/order-desk.js';
import { Steps, StepsModule } from '../../docs/examples/ordered-steps.js';
import { until } from '../../tools/until.js';
import { recordingLogger } from '../fixtures/nest-bench.js';

describe('the examples of listeners', () => {
  let broker: TestBroker;
  let app: INestApplication | undefined;

  beforeEach(async () => {
    broker = await TestBroker.start({ manualClock: true });
  });
  afterEach(async () => {
    await app?.close();
    await broker.stop();
  });

  async function start(...providers: (typeof Ledger | typeof Thermometers | typeof OrderDesk)[]) {
    const { endpoints, clock } = broker;
    const options = { endpoints, clock, consumerGroup: 'examples', logger: recordingLogger() };
    const compiled = await Test.createTestingModule({
      imports: [RocketMQModule.forRoot(options)],
      providers,
    }).compile();
    app = compiled.createNestApplication({ logger: false });
    await app.init();
    return app;
  }

  it('failure policy: books, retries, or dead-letters', async () => {
    const { get } = bound(await start(Ledger));
    for (const card of ['visa', 'slow bank', '']) await get(RocketMQProducer).send(CardCharged, { card });
    await broker.idle();
    expect(get(Ledger).booked).toEqual(['visa']);
    await broker.advance(1_000);
    expect(get(Ledger).booked).toEqual(['visa', 'slow bank']);
    expect(broker.messages('to-be-looked-at').map(({ properties }) => properties.errorMessage)).toEqual(['no card']);
  });

  it('failure policy: its module starts', async () => {
    const compiled = await Test.createTestingModule({ imports: [LedgerModule] }).compile();
    app = compiled.createNestApplication({ logger: false });
    await app.init();
    expect(app.get(RocketMQListeners).state('Ledger.book').status).toBe('listening');
  });

  it('ordered: its module starts on a broker of its own, and keeps the order', async () => {
    const compiled = await Test.createTestingModule({ imports: [StepsModule] }).compile();
    app = compiled.createNestApplication({ logger: false });
    await app.init();
    const steps = app.get(Steps);
    await Promise.all([1, 2, 3].map((step) => steps.report('a', step)));
    await until(() => steps.done.length === 3);
    expect(steps.done).toEqual(['a: 1', 'a: 2', 'a: 3']);
  });

  it('batch: stores plausible values and redelivers only the rest', async () => {
    const { get } = bound(await start(Thermometers));
    for (const celsius of [20, -300, 21])
      await get(RocketMQProducer).send(TemperatureRead, { sensor: 'roof', celsius });
    await broker.idle();
    expect(
      get(Thermometers)
        .table.map(({ celsius }) => celsius)
        .sort(),
    ).toEqual([20, 21]);
    expect(broker.waiting()).toHaveLength(1);
  });

  it('order desk: filters by tag, settles manually, and pauses', async () => {
    const { get } = bound(await start(OrderDesk));
    const desk = get(OrderDesk);
    const send = (tag: string, id: string) => get(RocketMQProducer).send({ topic: 'orders', tag, body: { id } });
    const logged = async (line: string): Promise<void> => {
      await until(() => desk.log.includes(line));
    };
    await send('created', 'a');
    await logged('entered a');
    await send('disputed', 'b');
    await logged('took b');
    desk.decide('b', true);
    await broker.idle();
    expect([desk.log, broker.waiting()]).toEqual([['entered a', 'took b', 'settled b'], []]);
    desk.closeForToday();
    await send('disputed', 'c');
    await broker.advance(MINUTE_MS);
    expect(desk.log).not.toContain('took c');
    desk.openAgain();
    await broker.advance(10_000, { duringWork: true });
    await logged('took c');
    desk.decide('c', false);
    await broker.idle();
    expect(broker.waiting()).toHaveLength(1);
  });
});

/** `app.get` without its app. */
function bound(app: INestApplication) {
  return { get: <T>(type: new (...args: never[]) => T): T => app.get(type) };
}
