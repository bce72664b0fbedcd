import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsumerBench, gate, textOf } from '../../../../test/fixtures/consumer-bench.js';
import { StandstillClock } from '../../../../test/fixtures/standstill-clock.js';
import { until } from '../../../../tools/until.js';
import { MINUTE_MS, SECOND_MS } from '../support/clock.js';
import type { MessageListener } from './listeners/message-listener.js';
import type { BatchHandler } from './model/handler.js';

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `m${index}`);

describe('a batch listener', () => {
  let bench: ConsumerBench;

  beforeEach(async () => {
    bench = await ConsumerBench.open();
  });
  afterEach(() => bench.close());

  const batch = (handler: BatchHandler, more: Partial<MessageListener> = {}, maxSize = 4, maxWaitMs = 50) =>
    bench.listen([{ name: 'batch', topic: 'orders', batch: { handler, maxSize, maxWaitMs }, concurrency: 1, ...more }]);
  const journalled: BatchHandler = (messages) => bench.journal.add(String(messages.length));

  it('gets messages together, never more than its size, and all are acked when it succeeds', async () => {
    await bench.send(...names(10));
    await batch(journalled);
    await until(() => bench.journal.lines.reduce((sum, size) => sum + Number(size), 0) === 10);
    expect(bench.journal.lines.every((size) => Number(size) <= 4)).toBe(true);
    expect(bench.journal.lines.length).toBeLessThan(10);
    await bench.broker.idle();
    expect(bench.isAllSettled).toBe(true);
  });

  it('gets a single message when the waiting time is over', async () => {
    await batch(journalled);
    await bench.send('one');
    expect(await bench.journal.has(1)).toEqual(['1']);
  });

  it('fails messages one by one: they are retried, the others are acked', async () => {
    await bench.send(...names(4));
    await batch((messages, context) => {
      for (const message of messages) {
        bench.journal.add(`${textOf(message)} ${message.deliveryAttempt}`);
        if (textOf(message) !== 'm1' || message.deliveryAttempt > 1) continue;
        context.fail(message, new Error('only this one'));
        context.fail(message, new Error('which counts no more'));
      }
    });
    await bench.journal.has(4);
    await bench.broker.idle();
    expect(bench.broker.waiting().map(({ body }) => body.toString())).toEqual(['m1']);
    await bench.broker.advance(SECOND_MS);
    expect(await bench.journal.has(5)).toContain('m1 2');
    await bench.broker.idle();
    expect(bench.isAllSettled).toBe(true);
  });

  it('fails as a whole when it throws, except for messages that failed before', async () => {
    const errors: string[] = [];
    await bench.send(...names(3));
    await bench.listen(
      [
        {
          name: 'batch',
          topic: 'orders',
          maxAttempts: 1,
          batch: {
            maxSize: 3,
            maxWaitMs: MINUTE_MS,
            handler: ([first], context) => {
              context.fail(first as never, new Error('the first'));
              throw new Error('the others');
            },
          },
        },
      ],
      { events: { onFailed: (_message, error) => void errors.push((error as Error).message) } },
    );
    await until(() => errors.length === 3);
    expect(errors.sort()).toEqual(['the first', 'the others', 'the others']);
    await bench.broker.idle();
    expect(bench.deadLetters('stock').sort()).toEqual(['m0', 'm1', 'm2']);
  });

  it('runs as many batches at once as its concurrency, and a waiting batch accepts messages meanwhile', async () => {
    const { opened, open } = gate();
    let running = 0;
    let most = 0;
    await batch(
      async (messages) => {
        most = Math.max(most, ++running);
        bench.journal.add(String(messages.length));
        await opened;
        running--;
      },
      {},
      2,
      0,
    );
    await bench.send('m0');
    await bench.journal.has(1);
    await bench.send('m1');
    await until(() => bench.broker.inFlight().length === 2);
    await bench.send('m2', 'm3');
    open();
    await bench.broker.idle();
    expect([most, bench.isAllSettled]).toEqual([1, true]);
    expect(bench.journal.lines.reduce((sum, size) => sum + Number(size), 0)).toBe(4);
  });

  it('fails with all its messages when it exceeds its timeout, and its signal fires', async () => {
    const { opened, open } = gate();
    const signals: boolean[] = [];
    await bench.send('m0', 'm1');
    await batch(
      async (_messages, { signal }) => {
        signal.addEventListener('abort', () => open());
        await opened;
        signals.push(signal.aborted);
      },
      { handlerTimeoutMs: 20 },
      2,
      MINUTE_MS,
    );
    await until(() => bench.broker.waiting().length === 2);
    expect(signals).toEqual([true]);
  });

  it('does not lose a message that was marked as failed without an error when a shutdown leaves the handler behind', async () => {
    const { opened, open } = gate();
    await bench.send('m0');
    const consumer = await batch(
      async ([first], context) => {
        context.fail(first as never, undefined);
        bench.journal.add('begun');
        await opened;
      },
      { maxAttempts: 1 },
      1,
      MINUTE_MS,
    );
    await bench.journal.has(1);
    await consumer.close({ shutdownGraceMs: 0 });
    expect(bench.deadLetters('stock')).toEqual(['m0']);
    open();
  });

  it('gets its signal at the end of the shutdown; its messages are redelivered', async () => {
    const { opened, open } = gate();
    await bench.send('m0', 'm1');
    const consumer = await batch(
      async (_messages, { signal }) => {
        bench.journal.add('begun');
        signal.addEventListener('abort', open);
        await opened;
        signal.throwIfAborted();
      },
      {},
      2,
      MINUTE_MS,
    );
    await bench.journal.has(1);
    await consumer.close({ shutdownGraceMs: 0 });
    expect(bench.broker.waiting()).toHaveLength(2);
  });

  it('rejects a message that does not belong to the batch', async () => {
    await bench.send('m0');
    await batch(([message], context) => {
      const other = { ...(message as NonNullable<typeof message>) };
      bench.journal.add(attempt(() => context.fail(other, new Error('x'))));
    });
    expect((await bench.journal.has(1))[0]).toMatch('NOT_IN_BATCH');
  });

  it('is handed over when its bodies reach maxBytes; a larger message comes alone', async () => {
    const batches: string[][] = [];
    const handler: BatchHandler = (messages) => batches.push(messages.map(textOf));
    await bench.send('aaaa', 'bbbb', 'cc', 'larger than ten', 'dddd', 'eeee', 'f');
    const options = { handler, maxSize: 100, maxBytes: 10, maxWaitMs: 50 };
    await bench.listen([{ name: 'batch', topic: 'orders', concurrency: 1, batch: options }]);
    await until(() => batches.flat().length === 7);
    const together = batches.filter((texts) => texts.length > 1);
    expect(batches).toContainEqual(['larger than ten']);
    expect(together).not.toEqual([]);
    expect(together.filter((texts) => texts.join('').length > 10)).toEqual([]);
    await bench.broker.idle();
    expect(bench.isAllSettled).toBe(true);
  });

  it('does not wait for others once its bodies have reached maxBytes', async () => {
    const handler: BatchHandler = (messages) => bench.journal.add(messages.map(textOf).sort().join(' '));
    const options = { handler, maxSize: 100, maxBytes: 8, maxWaitMs: 10 * MINUTE_MS };
    await bench.listen([{ name: 'batch', topic: 'orders', batch: options }]);
    await bench.send('aaaa', 'bbbb');
    expect(await bench.journal.has(1)).toEqual(['aaaa bbbb']);
  });

  it.each([0, -1, 1.5, '1'])('rejects maxBytes: %j', async (maxBytes) => {
    const options = { handler: journalled, maxSize: 2, maxWaitMs: 1, maxBytes: maxBytes as number };
    await expect(bench.listen([{ name: 'batch', topic: 'orders', batch: options }])).rejects.toMatchObject({
      code: 'ILLEGAL_OPTION',
      field: 'batch.maxBytes',
    });
  });

  it('is not called with messages whose leases ended while it waited for more and the process stood still; that is reported', async () => {
    const clock = new StandstillClock();
    const connection = bench.connectionTo(bench.broker.endpoints, { clock });
    const listener = { name: 'batch', topic: 'orders', concurrency: 1 };
    const consumer = await bench.listen(
      [{ ...listener, batch: { handler: journalled, maxSize: 3, maxWaitMs: 10 * MINUTE_MS } }],
      { events: bench.events },
      connection,
    );
    await bench.send('m0', 'm1');
    await until(() => consumer.health.unsettled === 2);
    clock.skip(10 * MINUTE_MS);
    await bench.send('m2');
    await until(() => bench.journal.lines.includes('1'));
    expect(bench.journal.lines.sort()).toEqual(['1', 'lost m0', 'lost m1', 'unsettled m0 retry', 'unsettled m1 retry']);
  });

  it('is rejected in an ordered group', async () => {
    const listener = { name: 'batch', topic: 'steps', batch: { handler: journalled, maxSize: 2, maxWaitMs: 1 } };
    await expect(bench.listen([listener], { consumerGroup: 'lines' })).rejects.toThrow(
      /BATCH_IN_ORDERED_GROUP.*listener batch/,
    );
  });
});

function attempt(work: () => void): string {
  try {
    work();
    return 'nothing was rejected';
  } catch (error) {
    return (error as Error).message;
  }
}
