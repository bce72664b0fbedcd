import { describe, expect, it } from '@jest/globals';
import type { MessageView } from '../../protocol/model/message.js';
import { AbortSource } from '../../support/abort-source.js';
import { SECOND_MS } from '../../support/clock.js';
import { silentLogger } from '../../support/logger.js';
import { ManualClock } from '../../support/manual-clock.js';
import { ConsumerReporter } from '../model/consumer-events.js';
import { DEFAULT_SETTINGS } from '../model/settings.js';
import { keepDeadLetter } from './keep-dead-letter.js';

const message = { topic: 'orders', messageId: 'm', keys: [], deliveryAttempt: 1 } as unknown as MessageView;
const never = () => new Promise<void>(() => {});

describe('a hook of a dead letter that never ends', () => {
  it.each([
    ['onDeadLetter', { kind: 'deadLetter', reason: 'handler-decided' }],
    ['deadLetterTo', { kind: 'retry', delayMs: 1_000 }],
  ])('counts as failed after 30 s, which is logged: %s', async (hook, settlement) => {
    const ioClock = new ManualClock();
    const lines: string[] = [];
    const logger = { ...silentLogger, error: (...line: unknown[]) => void lines.push(JSON.stringify(line)) };
    const kept = keepDeadLetter(
      { message, consumerGroup: 'stock', reason: 'handler-decided', error: new Error('no stock') },
      { report: new ConsumerReporter({}, logger, 'stock'), ioClock, settings: () => DEFAULT_SETTINGS },
      {
        policy: { [hook]: never },
        backoff: { kind: 'customized', nextMs: [SECOND_MS] },
        abandonSignal: new AbortSource(),
      },
    );
    await new Promise((resolve) => setImmediate(resolve));
    ioClock.advanceTo(ioClock.nowMs() + 30 * SECOND_MS);
    expect(await kept).toEqual(settlement);
    expect(lines.at(-1)).toContain(`${hook} did not end within 30000 ms`);
    expect(ioClock.nextDueAtMs()).toBeUndefined();
  });
});
