import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsumerBench, FIFO, gate, textOf } from '../../../../test/fixtures/consumer-bench.js';
import { MemoryStore } from '../../../../test/fixtures/limit-store.js';
import { until } from '../../../../tools/until.js';
import { SECOND_MS } from '../support/clock.js';
import type { MessageHandler } from './model/handler.js';

describe('push consumers with a rate limit over their group', () => {
  let bench: ConsumerBench;
  let store: MemoryStore;
  let beganAtMs: number[];
  let timed: MessageHandler;

  beforeEach(async () => {
    bench = await ConsumerBench.open();
    store = new MemoryStore(() => bench.broker.clock.nowMs());
    beganAtMs = [];
    timed = (message, context) => {
      beganAtMs.push(bench.broker.clock.monotonicMs());
      return bench.journalled(message, context);
    };
  });
  afterEach(() => bench.close());

  // Longer than a message is held for its turn (10 s), whatever the time is when the first one begins.
  const PER_MS = 12 * SECOND_MS;
  const rateLimit = { max: 4, perMs: PER_MS, scope: 'group' } as const;
  const limit = (): { rateLimit: typeof rateLimit; limitStore: MemoryStore } => ({
    rateLimit,
    limitStore: store,
  });
  const bodies = (count: number) => Array.from({ length: count }, (_, index) => `${index}`);
  const closest = (max: number) =>
    Math.min(...beganAtMs.slice(max).map((atMs, index) => atMs - (beganAtMs[index] ?? 0)));

  it('begin no more together than it says in any such time, hold nothing that may not begin, and lose nothing', async () => {
    await bench.send(...bodies(14));
    const consumers = [await bench.consume(timed, limit()), await bench.consume(timed, limit())];
    await bench.journal.has(4);
    await bench.broker.idle();
    await until(() => consumers.every(({ health }) => health.limited[0] === 'stock'));
    expect([beganAtMs.length, bench.broker.inFlight()]).toEqual([4, []]);
    for (let count = 0; count < 60; count++) await bench.broker.advance(SECOND_MS, { duringWork: true });
    expect(await bench.journal.has(14)).toHaveLength(14);
    await bench.broker.idle();
    expect(closest(4)).toBeGreaterThanOrEqual(PER_MS);
    expect([new Set(bench.journal.lines).size, bench.isAllSettled]).toEqual([14, true]);
  });

  it('ask for nothing while there is nothing to handle', async () => {
    const consumer = await bench.consume(timed, limit());
    await bench.broker.advance(60 * SECOND_MS, { duringWork: true });
    expect([store.requests, consumer.health.limited]).toEqual([0, []]);
    await bench.send('one');
    await bench.journal.has(1);
    for (let count = 0; count < 10; count++) await bench.broker.advance(SECOND_MS, { duringWork: true });
    const { requests } = store;
    await bench.broker.advance(60 * SECOND_MS, { duringWork: true });
    expect([store.requests, consumer.health.limited]).toEqual([requests, []]);
  });

  it('keep the order of an ordered group, through retries', async () => {
    await bench.sendSteps('a1', 'a2', 'a3', 'b1', 'b2');
    const failsOnce: MessageHandler = (message, context) => {
      void timed(message, context);
      if (textOf(message) === 'a2' && message.deliveryAttempt === 1) throw new Error('once more');
    };
    for (let count = 0; count < 2; count++) await bench.consume(failsOnce, { ...FIFO, ...limit() });
    for (let count = 0; count < 40; count++) await bench.broker.advance(SECOND_MS, { duringWork: true });
    const lines = await bench.journal.has(6);
    expect(lines.filter((line) => line.startsWith('a'))).toEqual(['a1 1', 'a2 1', 'a2 2', 'a3 1']);
    expect(closest(4)).toBeGreaterThanOrEqual(PER_MS);
  });

  it('handle nothing while the store does not answer, report why, and go on after that', async () => {
    store.failure = new Error('the database is away');
    await bench.send(...bodies(3));
    const consumer = await bench.consume(timed, limit());
    await until(() => consumer.health.limitError !== undefined);
    for (let count = 0; count < 5; count++) await bench.broker.advance(SECOND_MS, { duringWork: true });
    const goOn = store.hang();
    await bench.broker.advance(SECOND_MS, { duringWork: true });
    expect([consumer.health.limited, consumer.health.limitError]).toEqual([['stock'], 'the database is away']);
    goOn();
    expect([beganAtMs, consumer.listenerLoad('stock').isLimited]).toEqual([[], true]);
    store.failure = undefined;
    for (let count = 0; count < 20; count++) await bench.broker.advance(SECOND_MS, { duringWork: true });
    expect(await bench.journal.has(3)).toHaveLength(3);
    expect([consumer.health.limited, consumer.health.limitError]).toEqual([[], undefined]);
  });

  it('count the messages of a batch when it begins, however long it had to wait', async () => {
    await bench.send(...bodies(12));
    const { opened, open } = gate();
    const handler = async (messages: readonly unknown[]): Promise<void> => {
      beganAtMs.push(...messages.map(() => bench.broker.clock.monotonicMs()));
      for (const _ of messages) bench.journal.add('handled');
      await opened;
    };
    const batch = { maxSize: 100, maxWaitMs: 0, handler };
    const consumer = await bench.listen([{ name: 'table', topic: 'orders', concurrency: 1, batch, rateLimit }], {
      limitStore: store,
    });
    const steps = async (isOver: () => boolean, most = 400): Promise<void> => {
      for (let count = 0; count < most && !isOver(); count++) await bench.broker.advance(250, { duringWork: true });
    };
    await steps(() => consumer.health.unsettled > 3);
    const held = consumer.health.unsettled;
    await steps(() => false, 100);
    open();
    await steps(() => bench.journal.lines.length === 12);
    expect([held, bench.journal.lines.length]).toEqual([4, 12]);
    expect(closest(4)).toBeGreaterThanOrEqual(PER_MS);
  });

  it('end while they wait, and release what they hold', async () => {
    await bench.sendSteps('a1', 'a2', 'a3', 'a4', 'a5', 'a6');
    const consumer = await bench.consume(timed, { ...FIFO, ...limit() });
    await bench.journal.has(4);
    await consumer.close();
    await bench.consume(bench.journalled, FIFO);
    await bench.broker.advance(60 * SECOND_MS, { duringWork: true });
    expect((await bench.journal.has(6)).map((line) => line.slice(0, 2))).toEqual(['a1', 'a2', 'a3', 'a4', 'a5', 'a6']);
  });

  it('need a store, and share messages', () => {
    const rejected = (options: object): unknown => {
      try {
        bench.consumer(bench.journalled, { rateLimit, ...options });
      } catch (error) {
        return error;
      }
      return undefined;
    };
    expect(rejected({})).toMatchObject({ field: 'rateLimit.scope', message: expect.stringContaining('limitStore') });
    expect(rejected({ limitStore: {} })).toMatchObject({ field: 'limitStore' });
    expect(rejected({ limitStore: store, mode: 'broadcast' })).toMatchObject({ field: 'rateLimit.scope' });
    expect(rejected({ limitStore: store, rateLimit: { ...rateLimit, perMs: 100 } })).toMatchObject({
      field: 'rateLimit.perMs',
    });
  });
});
