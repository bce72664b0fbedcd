import { describe, expect, it } from '@jest/globals';
import { assertSendable, type MessageView } from '../../protocol/model/message.js';
import { AbortSource } from '../../support/abort-source.js';
import { SECOND_MS } from '../../support/clock.js';
import { UsageError } from '../../support/errors.js';
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

describe('a dead letter with labels that no send accepts', () => {
  const sent: MessageView[] = [];
  const keep = (given: Partial<MessageView>, isLite: boolean, deadLetterTo: (message: MessageView) => void) =>
    keepDeadLetter(
      {
        message: { ...message, body: Buffer.from('b'), properties: {}, ...given },
        consumerGroup: 'stock',
        reason: 'handler-decided',
        error: new Error('no stock'),
      },
      {
        report: new ConsumerReporter({}, silentLogger, 'stock'),
        ioClock: new ManualClock(),
        settings: () => ({ ...DEFAULT_SETTINGS, isLite }),
      },
      {
        policy: { deadLetterTo: async ({ message: one }) => deadLetterTo(one) },
        backoff: { kind: 'customized', nextMs: [SECOND_MS] },
        abandonSignal: new AbortSource(),
      },
    );
  const send = (one: MessageView): void => {
    assertSendable({ ...one, tag: one.tag as string }, one.body.length, 0);
    sent.push(one);
  };

  it.each([true, false])(
    'is offered again with labels that can be sent, in a lite topic and elsewhere: %s',
    async (isLite) => {
      const labels = { tag: 'a||b', keys: ['a\tb'], properties: { line: 'a\nb' } };
      expect(await keep(labels, isLite, send)).toEqual({ kind: 'ack' });
      expect(sent.at(-1)).toMatchObject({ keys: [], properties: { line: 'a\\u000ab', originTag: 'a||b' } });
    },
  );

  it('is not offered again when its labels are not the reason', async () => {
    let calls = 0;
    const refuse = (): never => {
      calls++;
      throw new UsageError('ILLEGAL_TOPIC', 'no such topic', 'topic');
    };
    expect(await keep({}, false, refuse)).toMatchObject({ kind: 'deadLetter' });
    expect(calls).toBe(1);
  });
});
