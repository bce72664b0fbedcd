import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsumerBench, gate, textOf } from '../../../../test/fixtures/consumer-bench.js';
import { until } from '../../../../tools/until.js';
import { MINUTE_MS, SECOND_MS } from '../support/clock.js';
import type { MessageHandler } from './model/handler.js';
import type { PushConsumer } from './push-consumer.js';

describe('a handler of a push consumer', () => {
  let bench: ConsumerBench;

  beforeEach(async () => {
    bench = await ConsumerBench.open();
  });
  afterEach(() => bench.close());

  /** Fails at the first attempt in the given way. */
  const failingOnce =
    (fail: MessageHandler): MessageHandler =>
    (message, context) => {
      void bench.journalled(message, context);
      return message.deliveryAttempt === 1 ? fail(message, context) : undefined;
    };

  const failures: Record<string, MessageHandler> = {
    'throws synchronously': () => {
      throw new Error('at once');
    },
    'rejects with undefined': () => Promise.reject(undefined),
    'throws a string': () => {
      throw 'a text';
    },
    'returns a thenable that rejects': () => ({
      // biome-ignore lint/suspicious/noThenProperty: such things come from other promise libraries
      then: (_resolve: unknown, reject: (error: Error) => void) => reject(new Error('later')),
    }),
    'emits an error that nobody listens to': () => new EventEmitter().emit('error', new Error('unheard')),
  };

  it.each(Object.keys(failures))('that %s has failed, and its message is retried', async (kind) => {
    const reported: unknown[] = [];
    await bench.consume(failingOnce(failures[kind] as MessageHandler), {
      events: { onFailed: (_message, error, settlement) => void reported.push(error, settlement.kind) },
    });
    await bench.send('one');
    await bench.journal.has(1);
    await bench.broker.advance(SECOND_MS);
    expect(await bench.journal.has(2)).toEqual(['one 1', 'one 2']);
    await bench.broker.idle();
    expect([reported.length, reported[1], bench.isAllSettled]).toEqual([2, 'retry', true]);
  });

  it('that returns a thenable is awaited', async () => {
    let finish = (): void => {};
    await bench.consume(() => ({
      // biome-ignore lint/suspicious/noThenProperty: such things come from other promise libraries
      then: (resolve: () => void) => {
        finish = resolve;
        bench.journal.add('begun');
      },
    }));
    await bench.send('one');
    await bench.journal.has(1);
    expect(bench.broker.inFlight()).toHaveLength(1);
    finish();
    await until(() => bench.isAllSettled);
  });

  it('that never ends keeps its lease, and its consumer closes nevertheless', async () => {
    const never = gate();
    const consumer = await bench.consume(
      async (message, context) => {
        void bench.journalled(message, context);
        await never.opened;
      },
      { invisibleDurationMs: 10 * SECOND_MS, events: bench.events },
    );
    await bench.send('one');
    await bench.journal.has(1);
    for (let steps = 0; steps < 8; steps++) {
      await bench.broker.advance(5 * SECOND_MS, { duringWork: true });
      await bench.renewed(5 * SECOND_MS);
    }
    await consumer.close({ shutdownGraceMs: 0 });
    await bench.consume((message) => bench.journal.add(`other ${textOf(message)} ${message.deliveryAttempt}`));
    await bench.broker.advance(MINUTE_MS, { duringWork: true });
    expect(await bench.journal.has(2)).toEqual(['one 1', 'other one 2']);
    never.open();
  });

  it('can close its consumer: its message is acknowledged, no other handler starts', async () => {
    let consumer: PushConsumer | undefined;
    let closed: Promise<void> | undefined;
    consumer = await bench.consume(
      (message, context) => {
        void bench.journalled(message, context);
        closed = consumer?.close();
      },
      { concurrency: 1 },
    );
    await bench.send('one', 'two');
    const [line] = await bench.journal.has(1);
    await closed;
    const [left] = ['one 1', 'two 1'].filter((other) => other !== line);
    await bench.consume((message, context) => bench.journalled(message, context));
    expect(await bench.journal.has(2)).toEqual([line, left]);
    await until(() => bench.isAllSettled);
  });

  it('that awaits the close of its consumer waits for itself: the grace period ends it, its message is redelivered', async () => {
    let consumer: PushConsumer | undefined;
    consumer = await bench.consume(
      async (message, context) => {
        void bench.journalled(message, context);
        await consumer?.close({ shutdownGraceMs: 1 });
      },
      { invisibleDurationMs: 10 * SECOND_MS },
    );
    await bench.send('one');
    await bench.journal.has(1);
    await consumer.close();
    await bench.consume(bench.journalled);
    await bench.broker.advance(MINUTE_MS, { duringWork: true });
    expect(await bench.journal.has(2)).toEqual(['one 1', 'one 2']);
  });

  it('has its interceptors around it at each attempt', async () => {
    await bench.consume(
      failingOnce(() => Promise.reject(new Error('no stock'))),
      {
        interceptors: [
          async ({ deliveryAttempt }, _context, next) => {
            bench.journal.add(`before ${deliveryAttempt}`);
            await next().finally(() => bench.journal.add(`after ${deliveryAttempt}`));
          },
        ],
      },
    );
    await bench.send('one');
    await bench.journal.has(3);
    await bench.broker.advance(SECOND_MS);
    expect(await bench.journal.has(6)).toEqual(['before 1', 'one 1', 'after 1', 'before 2', 'one 2', 'after 2']);
  });
});
