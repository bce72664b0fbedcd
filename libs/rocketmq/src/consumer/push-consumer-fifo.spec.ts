import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsumerBench, FIFO, gate, textOf } from '../../../../test/fixtures/consumer-bench.js';
import { MINUTE_MS, SECOND_MS } from '../support/clock.js';
import { silentLogger } from '../support/logger.js';
import type { MessageHandler } from './model/handler.js';
import { retryProperties } from './model/message-retries.js';
import { RetryLaterError } from './model/outcome-errors.js';
import { SimpleConsumer } from './simple/simple-consumer.js';

describe('a push consumer', () => {
  let bench: ConsumerBench;

  beforeEach(async () => {
    bench = await ConsumerBench.open();
  });
  afterEach(() => bench.close());

  describe('of an ordered group', () => {
    it('retries a message as its sender wants, in order', async () => {
      const properties = retryProperties({ maxAttempts: 2, backoff: MINUTE_MS });
      await bench.producer.send({ topic: 'steps', body: 'a1', messageGroup: 'a', properties });
      await bench.sendSteps('a2');
      await bench.consume(
        (message, context) => {
          void bench.journalled(message, context);
          if (textOf(message) === 'a1') throw new Error('never');
        },
        { ...FIFO, maxAttempts: 3 },
      );
      await bench.journal.has(1);
      await bench.broker.advance(50 * SECOND_MS);
      expect(bench.journal.lines).toEqual(['a1 1']);
      await bench.broker.advance(10 * SECOND_MS);
      expect(await bench.journal.has(3)).toEqual(['a1 1', 'a1 2', 'a2 1']);
      expect(bench.deadLetters('lines')).toEqual(['a1']);
    });

    it('keeps a message group waiting behind its failed message while others continue', async () => {
      // All in one batch: a queue is locked until its batch is settled.
      await bench.sendSteps('a1', 'a2', 'a3', 'b1', 'b2');
      await bench.consume((message, context) => {
        void bench.journalled(message, context);
        if (textOf(message) === 'a2' && message.deliveryAttempt < 3) throw new Error('not yet');
      }, FIFO);
      const { lines } = bench.journal;
      while (!(lines.includes('b2 1') && lines.includes('a2 1'))) await bench.journal.has(lines.length + 1);
      expect(lines).not.toContain('a3 1');
      await bench.broker.advance(SECOND_MS, { duringWork: true });
      await bench.journal.has(5);
      await bench.broker.advance(5 * SECOND_MS, { duringWork: true });
      await bench.journal.has(7);
      const ofGroup = (group: string): string[] => lines.filter((line) => line.startsWith(group));
      expect(ofGroup('a')).toEqual(['a1 1', 'a2 1', 'a2 2', 'a2 3', 'a3 1']);
      expect(ofGroup('b')).toEqual(['b1 1', 'b2 1']);
    });

    it('continues with the next message once a poisoned one is dead-lettered', async () => {
      await bench.consume(
        (message, context) => {
          void bench.journalled(message, context);
          if (textOf(message) === 'a1') throw new Error('poison');
        },
        { ...FIFO, events: bench.events },
      );
      await bench.sendSteps('a1', 'a2');
      await bench.journal.has(1);
      await bench.broker.advance(SECOND_MS, { duringWork: true });
      await bench.journal.has(2);
      await bench.broker.advance(5 * SECOND_MS, { duringWork: true });
      expect(await bench.journal.has(5)).toEqual(['a1 1', 'a1 2', 'a1 3', 'dead letter a1 attempts-exhausted', 'a2 1']);
      expect(bench.deadLetters('lines')).toEqual(['a1']);
    });

    it('names in a warning what is delivered for the last time: it may become dead letters, handled or not', async () => {
      await bench.sendSteps('a1', 'a2', 'a3');
      const { consumerGroup, subscriptions } = FIFO;
      const other = new SimpleConsumer(bench.connection, { consumerGroup, subscriptions });
      await other.start();
      for (let attempt = 1; attempt < 3; attempt++) {
        const held = await other.receive({ invisibleDurationMs: 10 * SECOND_MS });
        expect(held.map(({ deliveryAttempt }) => deliveryAttempt)).toEqual([attempt, attempt, attempt]);
        await bench.broker.advance(10 * SECOND_MS, { duringWork: true });
      }
      await other.close();
      const warned: unknown[] = [];
      const warn = (text: string, { messageIds }: Record<string, unknown> = {}): void => {
        if (text.includes('for the last time')) warned.push(messageIds);
      };
      const ids: string[] = [];
      const logger = { ...silentLogger, warn };
      const handler: MessageHandler = (message, context) => {
        ids.push(message.messageId);
        return bench.journalled(message, context);
      };
      await bench.consume(handler, FIFO, bench.connectionTo(bench.broker.endpoints, { logger }));
      expect(await bench.journal.has(3)).toEqual(['a1 3', 'a2 3', 'a3 3']);
      expect(warned).toEqual([ids]);
    });

    it('keeps the lease of a message that waits for its next attempt', async () => {
      await bench.consume((message, context) => {
        void bench.journalled(message, context);
        if (message.deliveryAttempt === 1) throw new RetryLaterError({ delayMs: 2 * MINUTE_MS });
      }, FIFO);
      await bench.sendSteps('a1', 'a2');
      await bench.journal.has(1);
      for (let steps = 0; steps < 8; steps++) {
        await bench.broker.advance(15 * SECOND_MS, { duringWork: true });
        await bench.renewed(15 * SECOND_MS);
      }
      expect(await bench.journal.has(3)).toEqual(['a1 1', 'a1 2', 'a2 1']);
    });

    it('does not handle what follows a message whose lease is lost before that is redelivered', async () => {
      let rejected = false;
      await bench.consume(
        async (message, context) => {
          void bench.journalled(message, context);
          if (textOf(message) === 'a1' && !rejected) {
            rejected = true;
            await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
          }
        },
        { ...FIFO, invisibleDurationMs: 10 * SECOND_MS },
      );
      bench.broker.faults.add({
        rpc: 'changeInvisibleDuration',
        action: { kind: 'answer', code: 'INVALID_RECEIPT_HANDLE', message: 'expired' },
      });
      await bench.sendSteps('a1', 'a2', 'a3');
      await bench.journal.has(1);
      await bench.broker.advance(5 * SECOND_MS, { duringWork: true });
      await bench.broker.advance(30 * SECOND_MS, { duringWork: true });
      const lines = await bench.journal.has(4);
      expect(lines.map((line) => line.slice(0, 2))).toEqual(['a1', 'a1', 'a2', 'a3']);
    });

    it('cancels its polls when it is closed, without costing the next message an attempt', async () => {
      const consumer = await bench.consume(bench.journalled, { ...FIFO, longPollingTimeoutMs: 10 * MINUTE_MS });
      await bench.sendSteps('a1');
      await bench.journal.has(1);
      // The next poll is open by now, or about to be.
      await bench.broker.idle();
      await consumer.close({ shutdownGraceMs: 5 * MINUTE_MS });
      await bench.sendSteps('a2');
      await bench.consume(bench.journalled, FIFO);
      expect(await bench.journal.has(2)).toEqual(['a1 1', 'a2 1']);
    });

    it('is closed in a backlog without costing the messages behind it an attempt', async () => {
      const bodies = Array.from({ length: 96 }, (_, index) => `a${index}`);
      await bench.sendSteps(...bodies);
      for (let deploy = 0; deploy < 2; deploy++) {
        const lastOfBatch = gate();
        // The next poll follows a full one, and waits for this message.
        const consumer = await bench.consume(async (message, context) => {
          void bench.journalled(message, context);
          if (bench.journal.lines.length % 32 !== 0) return;
          lastOfBatch.open();
          await sleep(50);
        }, FIFO);
        await lastOfBatch.opened;
        await consumer.close();
      }
      await bench.consume(bench.journalled, FIFO);
      expect(await bench.journal.has(96)).toEqual(bodies.map((body) => `${body} 1`));
    });
  });
});
