import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsumerBench, FIFO, gate, textOf } from '../../../../test/fixtures/consumer-bench.js';
import { MemoryStore } from '../../../../test/fixtures/limit-store.js';
import { until } from '../../../../tools/until.js';
import { SECOND_MS } from '../support/clock.js';
import type { MessageHandler } from './model/handler.js';
import type { PushConsumer } from './push-consumer.js';

describe('push consumers with a limit on concurrent handlers over their group', () => {
  let bench: ConsumerBench;
  let store: MemoryStore;
  let running: string[];
  let most: number;
  let gates: ReturnType<typeof gate>[];
  let held: MessageHandler;

  beforeEach(async () => {
    bench = await ConsumerBench.open();
    store = new MemoryStore(() => bench.broker.clock.nowMs());
    [running, most, gates] = [[], 0, []];
    held = async (message, context) => {
      const text = textOf(message);
      const mine = gate();
      gates.push(mine);
      running.push(text);
      most = Math.max(most, running.length);
      context.signal.addEventListener('abort', mine.open);
      await mine.opened;
      running.splice(running.indexOf(text), 1);
      context.signal.throwIfAborted();
      await bench.journalled(message, context);
    };
  });
  afterEach(async () => {
    for (const one of gates) one.open();
    await bench.close();
  });

  const limit = (groupConcurrency: number) => ({ groupConcurrency, limitStore: store });
  const bodies = (count: number) => Array.from({ length: count }, (_, index) => `${index}`);
  const pass = async (durationMs: number, stepMs = 250): Promise<void> => {
    for (let passedMs = 0; passedMs < durationMs; passedMs += stepMs)
      await bench.broker.advance(stepMs, { duringWork: true });
  };
  const finish = async (count: number): Promise<void> => {
    for (let step = 0; step < 400 && bench.journal.lines.length < count; step++) {
      gates.shift()?.open();
      await pass(250);
    }
    expect(bench.journal.lines).toHaveLength(count);
  };

  it('run no more together than it says, hold nothing that may not begin, and lose nothing', async () => {
    await bench.send(...bodies(12));
    const consumers = [await bench.consume(held, limit(3)), await bench.consume(held, limit(3))];
    await until(() => running.length === 3);
    await pass(20 * SECOND_MS);
    const unsettled = consumers.reduce((sum, { health }) => sum + health.unsettled, 0);
    expect([running.length, unsettled]).toEqual([3, 3]);
    expect(consumers.map(({ health }) => health.limited)).toEqual([['stock'], ['stock']]);
    await finish(12);
    expect([most, new Set(bench.journal.lines).size]).toEqual([3, 12]);
    await until(() => bench.isAllSettled);
  });

  it('share it when one comes later', async () => {
    await bench.send(...bodies(40));
    await bench.consume(held, limit(4));
    await until(() => running.length === 4);
    const later: string[] = [];
    await bench.consume((message, context) => {
      later.push(textOf(message));
      return held(message, context);
    }, limit(4));
    for (let step = 0; step < 60 && later.length < 2; step++) {
      gates.shift()?.open();
      await pass(SECOND_MS);
    }
    expect([later.length >= 2, most]).toEqual([true, 4]);
  });

  it('ask for nothing while there is nothing to handle', async () => {
    const consumer = await bench.consume(bench.journalled, limit(2));
    await pass(60 * SECOND_MS, SECOND_MS);
    expect([store.requests, consumer.health.limited]).toEqual([0, []]);
    await bench.send('one');
    await bench.journal.has(1);
    await pass(3 * SECOND_MS);
    const { requests } = store;
    await pass(60 * SECOND_MS, SECOND_MS);
    expect([store.requests, consumer.health.limited]).toEqual([requests, []]);
  });

  it('keep the order of an ordered group, through retries', async () => {
    await bench.sendSteps('a1', 'a2', 'a3', 'b1', 'b2');
    const failsOnce: MessageHandler = async (message, context) => {
      await bench.journalled(message, context);
      if (textOf(message) === 'a2' && message.deliveryAttempt === 1) throw new Error('once more');
    };
    for (let count = 0; count < 2; count++) await bench.consume(failsOnce, { ...FIFO, ...limit(1) });
    await pass(30 * SECOND_MS);
    const lines = await bench.journal.has(6);
    expect(lines.filter((line) => line.startsWith('a'))).toEqual(['a1 1', 'a2 1', 'a2 2', 'a3 1']);
    expect(lines.filter((line) => line.startsWith('b'))).toEqual(['b1 1', 'b2 1']);
  });

  it('abort what runs when the store is away for too long, and handle it again without having lost an attempt', async () => {
    await bench.send('one');
    const consumer = await bench.consume(held, limit(1));
    await until(() => running.length === 1);
    store.failure = new Error('the database is away');
    await pass(20 * SECOND_MS);
    expect([running, consumer.health.limitError]).toEqual([['one'], undefined]);
    await pass(10 * SECOND_MS);
    expect([running, consumer.health.limitError]).toEqual([[], 'the database is away']);
    expect([consumer.health.limited, consumer.listenerLoad('stock').isLimited]).toEqual([['stock'], true]);
    store.failure = undefined;
    for (let step = 0; step < 100 && running.length === 0; step++) await pass(SECOND_MS);
    await finish(1);
    expect(bench.journal.lines).toEqual(['one 1']);
    expect([consumer.health.limited, consumer.health.limitError]).toEqual([[], undefined]);
  });

  it('count batches', async () => {
    await bench.send(...bodies(12));
    const sizes: number[] = [];
    let atOnce = 0;
    const handler = async (messages: readonly unknown[]): Promise<void> => {
      const mine = gate();
      gates.push(mine);
      atOnce++;
      most = Math.max(most, atOnce);
      sizes.push(messages.length);
      await mine.opened;
      atOnce--;
      for (const _ of messages) bench.journal.add('handled');
    };
    const batch = { maxSize: 3, maxWaitMs: 0, handler };
    const listeners = [{ name: 'table', topic: 'orders', batch, groupConcurrency: 2 }];
    const consumers = [
      await bench.listen(listeners, { limitStore: store }),
      await bench.listen(listeners, { limitStore: store }),
    ];
    await until(() => sizes.length === 2);
    await pass(10 * SECOND_MS);
    const unsettled = consumers.reduce((sum, { health }) => sum + health.unsettled, 0);
    expect([sizes.length, unsettled <= 6]).toEqual([2, true]);
    await finish(12);
    expect([most, Math.max(...sizes)]).toEqual([2, 3]);
  });

  it('hold together with a rate limit', async () => {
    await bench.send(...bodies(6));
    const rateLimit = { max: 2, perMs: 10 * SECOND_MS };
    const beganAtMs: number[] = [];
    const timed: MessageHandler = (message, context) => {
      beganAtMs.push(bench.broker.clock.monotonicMs());
      return held(message, context);
    };
    const consumer = await bench.consume(timed, { ...limit(1), rateLimit });
    await until(() => running.length === 1);
    expect(beganAtMs).toHaveLength(1);
    await finish(6);
    expect(most).toBe(1);
    const apart = beganAtMs.slice(2).map((atMs, index) => atMs - (beganAtMs[index] ?? 0));
    expect(Math.min(...apart)).toBeGreaterThanOrEqual(10 * SECOND_MS);
    expect(consumer.listenerLoad('stock').concurrency).toBe(16);
  });

  it('give their slots back when they close', async () => {
    await bench.send(...bodies(2));
    const closing: PushConsumer = await bench.consume(held, limit(1));
    await until(() => running.length === 1);
    const ended = closing.close();
    gates.shift()?.open();
    await ended;
    await bench.consume(held, limit(1));
    for (let step = 0; step < 100 && running.length === 0; step++) await pass(100, 100);
    await finish(2);
    expect(most).toBe(1);
  });

  it('need a store, and share messages', () => {
    const rejected = (options: object): unknown => {
      try {
        bench.consumer(bench.journalled, { groupConcurrency: 1, ...options });
      } catch (error) {
        return error;
      }
      return undefined;
    };
    const field = 'groupConcurrency';
    expect(rejected({})).toMatchObject({ field, message: expect.stringContaining('there is no limitStore') });
    expect(rejected({ limitStore: store, mode: 'broadcast' })).toMatchObject({ field });
    expect(rejected({ limitStore: store, groupConcurrency: 0 })).toMatchObject({ field });
  });
});
