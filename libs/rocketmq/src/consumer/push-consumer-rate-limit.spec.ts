import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsumerBench, FIFO, gate, textOf } from '../../../../test/fixtures/consumer-bench.js';
import { until } from '../../../../tools/until.js';
import { DAY_MS, MINUTE_MS, SECOND_MS } from '../support/clock.js';
import type { MessageHandler } from './model/handler.js';

describe('a push consumer with a rate limit', () => {
  let bench: ConsumerBench;
  let beganAtMs: number[];
  let timed: MessageHandler;

  beforeEach(async () => {
    bench = await ConsumerBench.open();
    beganAtMs = [];
    timed = (message, context) => {
      beganAtMs.push(bench.broker.clock.monotonicMs());
      return bench.journalled(message, context);
    };
  });
  afterEach(() => bench.close());

  const bodies = (count: number) => Array.from({ length: count }, (_, index) => `${index}`);
  const within = (max: number) => beganAtMs.slice(max).map((atMs, index) => atMs - (beganAtMs[index] ?? 0));

  it('begins no more messages than it says in any such time, and loses none', async () => {
    await bench.send(...bodies(10));
    await bench.consume(timed, { rateLimit: { max: 3, perMs: SECOND_MS } });
    await bench.journal.has(3);
    await bench.broker.idle();
    expect(beganAtMs).toHaveLength(3);
    await bench.broker.advance(3 * SECOND_MS + 500);
    expect(await bench.journal.has(10)).toHaveLength(10);
    await bench.broker.idle();
    expect(Math.min(...within(3))).toBeGreaterThanOrEqual(SECOND_MS);
    expect([new Set(bench.journal.lines).size, bench.isAllSettled]).toEqual([10, true]);
  });

  it('receives nothing that may not begin, so that others of its group have it', async () => {
    await bench.send(...bodies(7));
    const limited = await bench.consume(bench.journalled, { rateLimit: { max: 2, perMs: MINUTE_MS } });
    await bench.journal.has(2);
    await bench.broker.idle();
    expect([bench.broker.inFlight(), bench.broker.waiting()]).toEqual([[], []]);
    expect(limited.health.limited).toEqual(['stock']);
    expect(limited.listenerLoad('stock')).toMatchObject({ running: 0, isLimited: true });
    await bench.consume((message) => bench.journal.add(`other ${textOf(message)}`), { concurrency: 1 });
    const lines = await bench.journal.has(7);
    expect(lines.filter((line) => line.startsWith('other'))).toHaveLength(5);
    await bench.broker.advance(MINUTE_MS);
    expect(limited.health.limited).toEqual([]);
  });

  it('counts each attempt', async () => {
    await bench.send('one');
    await bench.consume(
      (message, context) => {
        void timed(message, context);
        if (message.deliveryAttempt < 3) throw new Error('not yet');
      },
      { rateLimit: { max: 2, perMs: MINUTE_MS } },
    );
    await bench.broker.advance(50 * SECOND_MS);
    expect(await bench.journal.has(2)).toHaveLength(2);
    await bench.broker.advance(MINUTE_MS);
    expect(await bench.journal.has(3)).toEqual(['one 1', 'one 2', 'one 3']);
    expect(within(2)).toEqual([expect.any(Number)]);
    expect(within(2)[0]).toBeGreaterThanOrEqual(MINUTE_MS);
  });

  it('keeps the order of an ordered group, through retries', async () => {
    await bench.sendSteps('a1', 'a2', 'a3', 'b1', 'b2');
    await bench.consume(
      (message, context) => {
        void timed(message, context);
        if (textOf(message) === 'a2' && message.deliveryAttempt === 1) throw new Error('once more');
      },
      { ...FIFO, rateLimit: { max: 2, perMs: 10 * SECOND_MS } },
    );
    for (let count = 0; count < 6; count++) await bench.broker.advance(5 * SECOND_MS);
    const lines = await bench.journal.has(6);
    expect(lines.filter((line) => line.startsWith('a'))).toEqual(['a1 1', 'a2 1', 'a2 2', 'a3 1']);
    expect(lines.filter((line) => line.startsWith('b'))).toEqual(['b1 1', 'b2 1']);
    expect(Math.min(...within(2))).toBeGreaterThanOrEqual(10 * SECOND_MS);
  });

  it('limits one listener, not its neighbor on the topic', async () => {
    const listener = (name: string) => ({ name, topic: 'orders', filter: { kind: 'tag', expression: name } as const });
    await bench.listen([
      { ...listener('slow'), handler: timed, rateLimit: { max: 1, perMs: MINUTE_MS } },
      { ...listener('fast'), handler: (message) => bench.journal.add(`fast ${textOf(message)}`) },
    ]);
    for (const body of bodies(5)) {
      for (const tag of ['slow', 'fast']) await bench.producer.send({ topic: 'orders', tag, body });
    }
    const lines = await bench.journal.has(6);
    expect(lines.filter((line) => line.startsWith('fast'))).toHaveLength(5);
    expect(beganAtMs).toHaveLength(1);
    for (let count = 0; count < 20; count++) await bench.broker.advance(15 * SECOND_MS, { duringWork: true });
    await bench.journal.has(10);
    expect(Math.min(...within(1))).toBeGreaterThanOrEqual(MINUTE_MS);
  });

  it('ends while it waits, and releases nothing late', async () => {
    await bench.sendSteps('a1', 'a2', 'a3');
    const consumer = await bench.consume(bench.journalled, { ...FIFO, rateLimit: { max: 1, perMs: MINUTE_MS } });
    await bench.journal.has(1);
    await consumer.close();
    await bench.consume(bench.journalled, FIFO);
    await bench.broker.advance(MINUTE_MS);
    expect((await bench.journal.has(3)).map((line) => line.slice(0, 2))).toEqual(['a1', 'a2', 'a3']);
  });

  it('gives a handler of batches no more at once than the limit, however long the one before took', async () => {
    await bench.send(...bodies(12));
    const { opened, open } = gate();
    const sizes: number[] = [];
    const handler = async (messages: readonly unknown[]): Promise<void> => {
      sizes.push(messages.length);
      beganAtMs.push(...messages.map(() => bench.broker.clock.monotonicMs()));
      for (const _ of messages) bench.journal.add('handled');
      await opened;
    };
    // Real time that never passes: a batch begins because no more may join.
    const batch = { maxSize: 100, maxWaitMs: DAY_MS, handler };
    const rateLimit = { max: 3, perMs: SECOND_MS };
    const consumer = await bench.listen([{ name: 'table', topic: 'orders', concurrency: 1, rateLimit, batch }]);
    await bench.journal.has(3);
    await bench.broker.advance(SECOND_MS, { duringWork: true });
    await until(() => consumer.health.unsettled === 6);
    for (let count = 0; count < 4; count++) await bench.broker.advance(SECOND_MS, { duringWork: true });
    open();
    await bench.journal.has(6);
    for (let count = 0; count < 4; count++) await bench.broker.advance(SECOND_MS, { duringWork: true });
    await bench.journal.has(12);
    expect([sizes, Math.min(...within(3))]).toEqual([[3, 3, 3, 3], SECOND_MS]);
  });

  it('receives other message groups while one waits for its next attempt', async () => {
    await bench.sendSteps('a1');
    const failsOnce: MessageHandler = (message, context) => {
      void bench.journalled(message, context);
      if (textOf(message) === 'a1' && message.deliveryAttempt === 1) throw new Error('later');
    };
    const backoff = { kind: 'customized', nextMs: [5 * MINUTE_MS] } as const;
    await bench.consume(failsOnce, { ...FIFO, backoff, rateLimit: { max: 1, perMs: SECOND_MS } });
    await bench.journal.has(1);
    // They are in the other queue.
    for (let count = 1; count <= 4; count++) {
      await bench.sendSteps(`d${count}`);
      await bench.broker.advance(SECOND_MS, { duringWork: true });
      expect((await bench.journal.has(1 + count)).at(-1)).toBe(`d${count} 1`);
    }
    await bench.broker.advance(5 * MINUTE_MS, { duringWork: true });
    expect((await bench.journal.has(6)).at(-1)).toBe('a1 2');
  });

  it('goes on while long handlers run, after their number was raised', async () => {
    await bench.send(...bodies(4));
    const { opened, open } = gate();
    const lasting: MessageHandler = async (message, context) => {
      void timed(message, context);
      await opened;
    };
    const consumer = await bench.consume(lasting, { concurrency: 1, rateLimit: { max: 1, perMs: SECOND_MS } });
    await bench.journal.has(1);
    await bench.broker.advance(SECOND_MS, { duringWork: true });
    await until(() => consumer.health.unsettled === 2);
    consumer.setConcurrency('stock', 4);
    await bench.journal.has(2);
    for (const count of [3, 4]) {
      await bench.broker.advance(SECOND_MS, { duringWork: true });
      await bench.journal.has(count);
    }
    open();
    expect(Math.min(...within(1))).toBeGreaterThanOrEqual(SECOND_MS);
  });

  it('releases what the polls of several topics received beyond a long limit', async () => {
    const subscriptions = [{ topic: 'orders' }, { topic: 'returns' }];
    const rateLimit = { max: 1, perMs: DAY_MS };
    const limited = await bench.consume(bench.journalled, { subscriptions, rateLimit });
    await until(() => limited.health.topics.every(({ pollingSinceMs }) => pollingSinceMs !== undefined));
    await bench.send('one');
    await bench.sendTo('returns', 'two');
    await bench.journal.has(1);
    await until(() => limited.health.unsettled === 0);
    await bench.consume((message) => bench.journal.add(`other ${message.deliveryAttempt}`), { subscriptions });
    await bench.broker.advance(10 * SECOND_MS);
    expect((await bench.journal.has(2)).at(-1)).toBe('other 1');
  });

  it.each(['its listener', 'its topic'])('releases what waits for the limit when %s is paused', async (paused) => {
    const listener = (name: string) => ({ name, topic: 'orders', filter: { kind: 'tag', expression: name } as const });
    const consumer = await bench.listen([
      { ...listener('slow'), handler: bench.journalled, rateLimit: { max: 1, perMs: DAY_MS } },
      { ...listener('fast'), handler: bench.journalled },
    ]);
    for (const body of bodies(3)) await bench.producer.send({ topic: 'orders', tag: 'slow', body });
    await bench.journal.has(1);
    await until(() => consumer.health.unsettled === 2);
    if (paused === 'its listener') consumer.pauseListener('slow');
    else consumer.pause('orders');
    // The last poll of a paused topic ends.
    await bench.producer.send({ topic: 'orders', tag: 'fast', body: 'ends a poll' });
    await until(() => consumer.health.unsettled === 0);
    consumer.resume('orders');
    consumer.resumeListener('slow');
    await bench.broker.advance(10 * SECOND_MS, { duringWork: true });
    await until(() => consumer.health.unsettled >= 2);
  });
});
