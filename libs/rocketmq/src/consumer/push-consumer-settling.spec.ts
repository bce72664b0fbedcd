import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsumerBench, FIFO, gate, textOf } from '../../../../test/fixtures/consumer-bench.js';
import { until } from '../../../../tools/until.js';
import { MINUTE_MS, SECOND_MS } from '../support/clock.js';
import { RetryLaterError } from './model/outcome-errors.js';

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `m${index}`);

describe('the settlements of a push consumer', () => {
  let bench: ConsumerBench;

  beforeEach(async () => {
    bench = await ConsumerBench.open();
  });
  afterEach(() => bench.close());

  /** Handlers that all wait, and then end at the same moment. */
  async function endTogether(count: number, ackBatchSize?: number): Promise<void> {
    const { opened, open } = gate();
    let begun = 0;
    const handler = (): Promise<void> => {
      begun++;
      return opened;
    };
    await bench.send(...names(count));
    await bench.consume(handler, {
      concurrency: count,
      events: bench.events,
      ...(ackBatchSize === undefined ? {} : { ackBatchSize }),
    });
    await until(() => begun === count);
    open();
  }

  /** The first request waits, so that others queue up behind it; the second one is rejected as a whole. */
  function rejectSecondAckRequest(): void {
    bench.broker.faults.add({ rpc: 'ackMessage', action: { kind: 'delay', delayMs: 200 } });
    bench.broker.faults.add({ rpc: 'ackMessage', action: { kind: 'answer', code: 'INVALID_RECEIPT_HANDLE' } });
  }

  it.each([
    [16, 8, 8],
    [16, 1, 1],
    [40, undefined, 8],
  ])('of %s handlers that end together share requests of up to %s', async (count, ackBatchSize, rejected) => {
    rejectSecondAckRequest();
    await endTogether(count, ackBatchSize);
    const lines = await bench.journal.has(rejected);
    await until(() => bench.broker.inFlight().length === rejected);
    expect(lines.every((line) => /^unsettled m\d+ ack$/.test(line))).toBe(true);
    expect(bench.journal.lines).toHaveLength(rejected);
  });

  it('are repeated, all of the request, when its answer was lost: no handler runs twice', async () => {
    bench.broker.faults.add({ rpc: 'ackMessage', action: { kind: 'dropResponse' }, times: 3 });
    const { opened, open } = gate();
    await bench.send(...names(12));
    const consumer = await bench.consume(
      async (message, context) => {
        void bench.journalled(message, context);
        await opened;
      },
      { events: bench.events },
    );
    await bench.journal.has(12);
    open();
    // Its end waits for the repetitions, between which a moved clock would end the leases.
    await consumer.close({ shutdownGraceMs: MINUTE_MS });
    await bench.consume(bench.journalled);
    await bench.broker.advance(MINUTE_MS);
    expect(bench.journal.lines.sort()).toEqual(
      names(12)
        .map((name) => `${name} 1`)
        .sort(),
    );
  });

  it('are repeated when the server was too busy for them', async () => {
    bench.broker.faults.add({ rpc: 'ackMessage', action: { kind: 'answer', code: 'TOO_MANY_REQUESTS' }, times: 2 });
    await bench.consume(bench.journalled, { events: bench.events });
    await bench.send('one');
    await bench.journal.has(1);
    await until(() => bench.isAllSettled);
    expect(bench.journal.lines).toEqual(['one 1']);
  });

  it('that postpone a message are not repeated when their answer was lost: it is redelivered once', async () => {
    bench.broker.faults.add({ rpc: 'changeInvisibleDuration', action: { kind: 'dropResponse' } });
    await bench.consume(
      (message, context) => {
        void bench.journalled(message, context);
        if (message.deliveryAttempt === 1) throw new RetryLaterError({ delayMs: SECOND_MS });
      },
      { events: bench.events },
    );
    await bench.send('one');
    expect(await bench.journal.has(2)).toEqual(['one 1', 'unsettled one retry']);
    await bench.broker.advance(MINUTE_MS);
    expect(bench.journal.lines).toEqual(['one 1', 'unsettled one retry', 'one 2']);
  });

  it('that dead-letter a message are not repeated when their answer was lost: there is one dead letter', async () => {
    bench.broker.faults.add({ rpc: 'forwardMessageToDeadLetterQueue', action: { kind: 'dropResponse' } });
    await bench.consume(
      (message, context) => {
        void bench.journalled(message, context);
        throw new Error('no stock');
      },
      { backoff: { kind: 'customized', nextMs: [0] }, events: bench.events },
    );
    await bench.send('one');
    await bench.journal.has(5);
    await bench.broker.advance(MINUTE_MS);
    expect(bench.journal.lines).toEqual([
      'one 1',
      'one 2',
      'one 3',
      'dead letter one attempts-exhausted',
      'unsettled one deadLetter',
    ]);
    expect(bench.deadLetters('stock')).toEqual(['one']);
  });

  it('that dead-letter a message are repeated, too, when the server was too busy for them', async () => {
    const busy = { kind: 'answer', code: 'TOO_MANY_REQUESTS' } as const;
    bench.broker.faults.add({ rpc: 'forwardMessageToDeadLetterQueue', action: busy, times: 2 });
    await bench.consume(
      () => {
        throw new Error('no stock');
      },
      { backoff: { kind: 'customized', nextMs: [0] }, events: bench.events },
    );
    await bench.send('one');
    await bench.journal.has(1);
    await until(() => bench.isAllSettled);
    expect(bench.deadLetters('stock')).toEqual(['one']);
    expect(bench.journal.lines).toEqual(['dead letter one attempts-exhausted']);
  });

  it('of an ordered group hold back the next message until the server has accepted them', async () => {
    bench.broker.faults.add({ rpc: 'ackMessage', action: { kind: 'dropResponse' }, times: 2 });
    await bench.sendSteps('a1', 'a2');
    await bench.consume((message) => {
      const held = bench.broker.inFlight().map(({ body }) => body.toString());
      bench.journal.add(`${textOf(message)} ${message.deliveryAttempt}, held: ${held.sort().join(' ')}`);
    }, FIFO);
    const lines = await bench.journal.has(2);
    await until(() => bench.isAllSettled);
    expect(lines).toEqual(['a1 1, held: a1 a2', 'a2 1, held: a2']);
  });
});
