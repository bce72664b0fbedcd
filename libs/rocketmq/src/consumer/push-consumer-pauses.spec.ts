import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsumerBench, FIFO, gate, textOf } from '../../../../test/fixtures/consumer-bench.js';
import { until } from '../../../../tools/until.js';
import { SECOND_MS } from '../support/clock.js';
import { RetryLaterError } from './model/outcome-errors.js';

describe('a push consumer that is paused', () => {
  let bench: ConsumerBench;

  beforeEach(async () => {
    bench = await ConsumerBench.open();
  });
  afterEach(() => bench.close());

  it('releases the messages of its last poll, without an attempt, and receives no more until it is resumed', async () => {
    const paused = await bench.consume(bench.journalled);
    paused.pause();
    paused.pause();
    expect([paused.isPaused(), paused.isPaused('orders')]).toEqual([true, true]);
    await bench.send('one', 'two');
    await bench.broker.idle();
    expect([bench.journal.lines, bench.broker.inFlight()]).toEqual([[], []]);
    paused.resume();
    expect(paused.isPaused()).toBe(false);
    expect((await bench.journal.has(2)).sort()).toEqual(['one 1', 'two 1']);
  });

  it('leaves its messages to the others of its group', async () => {
    const paused = await bench.consume(bench.journalled);
    paused.pause();
    await bench.send('one');
    await bench.consume((message) => bench.journal.add(`other ${textOf(message)} ${message.deliveryAttempt}`));
    expect(await bench.journal.has(1)).toEqual(['other one 1']);
  });

  it('lets running handlers continue, and acknowledges their messages', async () => {
    const { opened, open } = gate();
    const consumer = await bench.consume(async (message, context) => {
      void bench.journalled(message, context);
      await opened;
      bench.journal.add(`ended, aborted: ${context.signal.aborted}`);
    });
    await bench.send('one');
    await bench.journal.has(1);
    consumer.pause();
    open();
    await bench.journal.has(2);
    await bench.broker.idle();
    expect(bench.isAllSettled).toBe(true);
    expect(bench.journal.lines).toEqual(['one 1', 'ended, aborted: false']);
  });

  it('starts no handler for messages that wait for their turn', async () => {
    const { opened, open } = gate();
    const consumer = await bench.consume(
      async (message, context) => {
        void bench.journalled(message, context);
        await opened;
      },
      { concurrency: 1 },
    );
    await bench.send('one', 'two', 'three');
    await until(() => bench.broker.inFlight().length === 3);
    const [first] = await bench.journal.has(1);
    consumer.pause('orders');
    open();
    await until(() => bench.broker.inFlight().length < 3);
    expect(bench.journal.lines).toEqual([first]);
    consumer.resume('orders');
    expect((await bench.journal.has(3)).sort()).toEqual(['one 1', 'three 1', 'two 1']);
  });

  it('can be paused for one topic only, and resumed for one of all', async () => {
    const consumer = await bench.consume(bench.journalled, {
      subscriptions: [{ topic: 'orders' }, { topic: 'returns' }],
    });
    consumer.pause('orders');
    expect([consumer.isPaused(), consumer.isPaused('orders'), consumer.isPaused('returns')]).toEqual([
      false,
      true,
      false,
    ]);
    await bench.send('order');
    await bench.sendTo('returns', 'back');
    expect(await bench.journal.has(1)).toEqual(['back 1']);
    consumer.pause();
    consumer.resume('orders');
    expect([consumer.isPaused('orders'), consumer.isPaused('returns')]).toEqual([false, true]);
    expect(await bench.journal.has(2)).toEqual(['back 1', 'order 1']);
    expect(() => consumer.pause('other')).toThrow('NOT_SUBSCRIBED');
    expect(() => consumer.resume('other')).toThrow('NOT_SUBSCRIBED');
  });

  it('before its start does not poll until it is resumed', async () => {
    const consumer = bench.consumer(bench.journalled);
    consumer.pause();
    await consumer.start();
    await bench.send('one');
    await bench.broker.idle();
    expect(bench.isAllSettled).toBe(true);
    consumer.resume();
    expect(await bench.journal.has(1)).toEqual(['one 1']);
  });

  it('closes at once; its messages are available to others without an attempt', async () => {
    const consumer = await bench.consume(bench.journalled);
    consumer.pause();
    await bench.send('one');
    await consumer.close();
    await bench.consume((message) => bench.journal.add(`other ${textOf(message)} ${message.deliveryAttempt}`));
    expect(await bench.journal.has(1)).toEqual(['other one 1']);
  });

  describe('in an ordered group', () => {
    it('keeps what it holds, since releasing it would cost an attempt, and continues in order', async () => {
      const consumer = await bench.consume(bench.journalled, FIFO);
      consumer.pause();
      await bench.sendSteps('a1', 'a2', 'a3');
      await until(() => bench.broker.inFlight().length > 0);
      for (let steps = 0; steps < 6; steps++) {
        await bench.broker.advance(15 * SECOND_MS, { duringWork: true });
        await bench.renewed(15 * SECOND_MS);
      }
      expect(bench.journal.lines).toEqual([]);
      consumer.resume();
      expect(await bench.journal.has(3)).toEqual(['a1 1', 'a2 1', 'a3 1']);
    });

    it('does not retry a failed message before it is resumed', async () => {
      const consumer = await bench.consume((message, context) => {
        void bench.journalled(message, context);
        if (message.deliveryAttempt === 1) throw new RetryLaterError({ delayMs: SECOND_MS });
      }, FIFO);
      await bench.sendSteps('a1');
      await bench.journal.has(1);
      consumer.pause();
      await bench.broker.advance(5 * SECOND_MS, { duringWork: true });
      expect(bench.journal.lines).toEqual(['a1 1']);
      consumer.resume();
      expect(await bench.journal.has(2)).toEqual(['a1 1', 'a1 2']);
    });
  });
});
