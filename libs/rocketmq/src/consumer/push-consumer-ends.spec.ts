import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ConsumerBench, FIFO, gate, textOf } from '../../../../test/fixtures/consumer-bench.js';
import { until } from '../../../../tools/until.js';
import { MIN_CAPABILITIES } from '../client/capabilities.js';
import { MINUTE_MS, SECOND_MS } from '../support/clock.js';
import { DeadLetterError } from './model/outcome-errors.js';

describe('a push consumer', () => {
  let bench: ConsumerBench;

  beforeEach(async () => {
    bench = await ConsumerBench.open();
  });
  afterEach(() => bench.close());

  describe('when it is closed', () => {
    it('acknowledges the messages of running handlers, and releases the others, without an attempt', async () => {
      const { opened, open } = gate();
      const first = await bench.consume(
        async (message, context) => {
          void bench.journalled(message, context);
          await opened;
          bench.journal.add(`ended, aborted: ${context.signal.aborted}`);
        },
        { concurrency: 1 },
      );
      await bench.send('one', 'two');
      await bench.journal.has(1);
      await until(() => bench.broker.inFlight().length >= 2);
      const closed = first.close();
      const [taken] = await bench.journal.has(1);
      const left = taken === 'one 1' ? 'two' : 'one';
      await bench.consume((message) => bench.journal.add(`second ${textOf(message)} ${message.deliveryAttempt}`));
      expect((await bench.journal.has(2)).at(-1)).toBe(`second ${left} 1`);
      open();
      await closed;
      await bench.broker.advance(MINUTE_MS);
      expect(bench.journal.lines.at(-1)).toBe('ended, aborted: false');
      expect(bench.journal.lines).toHaveLength(3);
    });

    it.each([
      ['ordinary', {}],
      ['ordered', FIFO],
    ])('releases a message that is on its way to an idle %s consumer', async (_, options) => {
      const send = (text: string) => (options === FIFO ? bench.sendSteps(text) : bench.send(text));
      for (const text of ['one', 'two', 'three']) {
        const consumer = await bench.consume(bench.journalled, options);
        await send(`${text}-before`);
        // The poll after it knows of no messages.
        await until(() => bench.journal.lines.some((line) => line.startsWith(`${text}-before`)));
        await until(() => bench.broker.inFlight().length === 0);
        const isSent = send(text);
        await until(() => bench.broker.inFlight().length > 0);
        await consumer.close();
        await isSent;
        await bench.broker.advance(SECOND_MS);
      }
      await bench.consume(bench.journalled, options);
      const lines = await bench.journal.has(6);
      const texts = lines.map((line) => line.split(' ')[0]);
      expect(texts.filter((text) => text?.endsWith('-before') === false).sort()).toEqual(['one', 'three', 'two']);
    });

    it('keeps an ordered message from its canceled polls for as long as a server has them open, not for as long as they asked for', async () => {
      // As to a server that does not learn that a poll was canceled.
      jest.spyOn(bench.connection, 'capabilities').mockReturnValue(MIN_CAPABILITIES);
      const first = await bench.consume(
        (message, { signal }) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => reject(new Error('interrupted')));
            void bench.journalled(message, { signal });
          }),
        { ...FIFO, longPollingTimeoutMs: MINUTE_MS },
      );
      await bench.sendSteps('one');
      await bench.journal.has(1);
      await first.close({ shutdownGraceMs: 0 });
      await bench.consume(bench.journalled, FIFO);
      // Servers poll for 20 s at most, and a moment more.
      await bench.broker.advance(22 * SECOND_MS);
      expect(await bench.journal.has(2)).toEqual(['one 1', 'one 2']);
    });

    it('fires the signals of its handlers when the grace period is over, and acknowledges one that then succeeds', async () => {
      const consumer = await bench.consume(async (message, { signal }) => {
        void bench.journalled(message, { signal });
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      });
      await bench.send('one');
      await bench.journal.has(1);
      await consumer.close({ shutdownGraceMs: 0 });
      await bench.consume(bench.journalled);
      await bench.broker.advance(MINUTE_MS);
      expect(bench.journal.lines).toEqual(['one 1']);
    });

    it.each(['onDeadLetter', 'deadLetterTo'])('does not wait for an %s that never ends', async (hook) => {
      const consumer = await bench.consume(
        (message, context) => {
          void bench.journalled(message, context);
          throw new DeadLetterError('no stock');
        },
        { [hook]: () => new Promise<void>(() => bench.journal.add('asked')), events: {} },
      );
      await bench.send('one');
      await bench.journal.has(2);
      await consumer.close({ shutdownGraceMs: 0 });
      expect([bench.deadLetters('stock'), consumer.health.unsettled]).toEqual([
        hook === 'onDeadLetter' ? ['one'] : [],
        0,
      ]);
    });

    it('does not wait for a handler that ignores its signal: its message is redelivered when its lease ends', async () => {
      const { opened, open } = gate();
      const consumer = await bench.consume(async (message, context) => {
        void bench.journalled(message, context);
        await opened;
      });
      await bench.send('one');
      await bench.journal.has(1);
      await consumer.close({ shutdownGraceMs: 0 });
      await bench.consume(bench.journalled);
      await bench.broker.advance(MINUTE_MS, { duringWork: true });
      expect(await bench.journal.has(2)).toEqual(['one 1', 'one 2']);
      open();
    });

    it('closes once for repeated calls, and cannot be started again', async () => {
      const consumer = await bench.consume(bench.journalled);
      expect(consumer.close()).toBe(consumer.close());
      await consumer.close();
      await expect(consumer.start()).rejects.toMatchObject({ code: 'CLOSED' });
    });
  });
});
