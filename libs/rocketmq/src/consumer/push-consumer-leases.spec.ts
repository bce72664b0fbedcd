import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsumerBench, gate, textOf } from '../../../../test/fixtures/consumer-bench.js';
import { recordingLogger } from '../../../../test/fixtures/nest-bench.js';
import { until } from '../../../../tools/until.js';
import type { MessageView } from '../protocol/model/message.js';
import { MINUTE_MS, SECOND_MS } from '../support/clock.js';

describe('the leases of a push consumer', () => {
  let bench: ConsumerBench;

  beforeEach(async () => {
    bench = await ConsumerBench.open();
  });
  afterEach(() => bench.close());

  it('renews the lease for as long as a handler runs', async () => {
    const { opened, open } = gate();
    await bench.consume(
      async (message, context) => {
        void bench.journalled(message, context);
        await opened;
        bench.journal.add(`ended, aborted: ${context.signal.aborted}`);
      },
      { invisibleDurationMs: 10 * SECOND_MS },
    );
    await bench.send('slow');
    await bench.journal.has(1);
    for (let steps = 0; steps < 12; steps++) {
      await bench.broker.advance(5 * SECOND_MS, { duringWork: true });
      await bench.renewed(5 * SECOND_MS);
    }
    open();
    await bench.journal.has(2);
    await bench.broker.advance(MINUTE_MS);
    expect(bench.journal.lines).toEqual(['slow 1', 'ended, aborted: false']);
  });

  it('fires the signal of a handler whose lease is lost, and reports that the message may be redelivered', async () => {
    bench.broker.faults.add({
      rpc: 'changeInvisibleDuration',
      action: { kind: 'answer', code: 'INVALID_RECEIPT_HANDLE', message: 'expired' },
    });
    await bench.consume(
      async (message, { signal }) => {
        bench.journal.add(`begins ${textOf(message)}`);
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        bench.journal.add('aborted');
      },
      { events: bench.events },
    );
    await bench.send('one');
    await bench.journal.has(1);
    await bench.broker.advance(15 * SECOND_MS, { duringWork: true });
    const lines = await bench.journal.has(4);
    expect(lines.slice(0, 1)).toEqual(['begins one']);
    expect(lines.slice(1).sort()).toEqual(['aborted', 'lost one', 'unsettled one ack']);
  });

  it('logs as no error that a lost lease has interrupted a handler', async () => {
    bench.broker.faults.add({
      rpc: 'changeInvisibleDuration',
      action: { kind: 'answer', code: 'INVALID_RECEIPT_HANDLE', message: 'expired' },
    });
    const logger = recordingLogger();
    const handler = async (_: MessageView, { signal }: { readonly signal: AbortSignal }): Promise<void> => {
      bench.journal.add('begins');
      await new Promise((__, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    };
    await bench.consume(handler, {}, bench.connectionTo(bench.broker.endpoints, { logger }));
    await bench.send('one');
    await bench.journal.has(1);
    await bench.broker.advance(15 * SECOND_MS, { duringWork: true });
    const texts = () => logger.lines.map(([line]) => line);
    await until(() => texts().some((line) => line.startsWith('info a handler was interrupted')));
    expect(texts().some((line) => line.startsWith('warn the lease of a message was lost'))).toBe(true);
    expect(texts().filter((line) => line.startsWith('error'))).toEqual([]);
  });
});
