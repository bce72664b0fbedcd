import { describe, expect, it } from '@jest/globals';
import { Code } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { StatusError } from '../../protocol/grpc/status.js';
import type { MessageView } from '../../protocol/model/message.js';
import { assertSendable } from '../../protocol/model/message-checks.js';
import { AbortSource } from '../../support/abort-source.js';
import { SECOND_MS } from '../../support/clock.js';
import { commandLine } from '../../support/command-line.js';
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
      {
        report: new ConsumerReporter({}, { logger, command: commandLine }, 'stock'),
        ioClock,
        settings: () => DEFAULT_SETTINGS,
      },
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
        report: new ConsumerReporter({}, { logger: silentLogger, command: commandLine }, 'stock'),
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

  // What a hook adds: a signature and a stack, and many small properties.
  const many = (count: number, name: string) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [name + i, 'v']));
  describe.each([true, false])('and that of a hook which adds its own, in a lite topic and elsewhere: %s', (isLite) => {
    it.each([
      ['a signature to large properties', { first: 'f', large: 'x'.repeat(15_800) }, { signature: 's'.repeat(684) }],
      ['six to as many as fit', many(124, 'p'), many(6, 'own')],
      ['a hundred to as many as fit', many(127, 'p'), many(100, 'own')],
      [
        '12 KB to large properties',
        { large: 'x'.repeat(9_000), small: 'y'.repeat(900) },
        { stack: 's'.repeat(12_000) },
      ],
    ])('is stored with less of its labels: %s', async (_what, properties, own) => {
      const calls: number[] = [];
      const kept = await keep({ properties, tag: 't', keys: ['k'] }, isLite, (one) => {
        calls.push(Object.keys(one.properties).length);
        send({ ...one, properties: { ...one.properties, ...own } });
      });
      expect(kept).toEqual({ kind: 'ack' });
      const { originPropertiesLeftOut, ...others } = sent.at(-1)?.properties ?? {};
      expect(others).toMatchObject(own);
      const absent = Object.keys(properties).filter((name) => others[name] === undefined);
      expect(absent.length).toBeGreaterThan(0);
      expect(JSON.stringify(absent)).toMatch(new RegExp(`^${originPropertiesLeftOut?.replaceAll('[', '\\[')}`));
      expect(calls.length).toBeLessThanOrEqual(5);
    });
  });

  it('is stored with less when only the server finds its labels too large', async () => {
    const status = { code: Code.MESSAGE_PROPERTIES_TOO_LARGE, message: 'more than 8 KB' };
    const kept = await keep({ properties: { large: 'x'.repeat(12_000) } }, true, (one) => {
      if (JSON.stringify(one.properties).length > 8_000) throw new StatusError('send', status);
      send(one);
    });
    expect(kept).toEqual({ kind: 'ack' });
    expect(sent.at(-1)?.properties).toEqual({ originPropertiesLeftOut: '["large"]' });
  });

  it('is not offered again for ever when nothing of it is left', async () => {
    let calls = 0;
    const reject = (): never => {
      calls++;
      throw new UsageError('MESSAGE_PROPERTIES_TOO_LARGE', 'too large', 'properties');
    };
    expect(await keep({}, false, reject)).toMatchObject({ kind: 'deadLetter' });
    expect(calls).toBe(1);
    expect(await keep({ properties: { p: 'x'.repeat(15_000) } }, true, reject)).toMatchObject({ kind: 'retry' });
    expect(calls).toBe(3);
  });

  it('is not offered again when its labels are not the reason', async () => {
    let calls = 0;
    const reject = (): never => {
      calls++;
      throw new UsageError('ILLEGAL_TOPIC', 'no such topic', 'topic');
    };
    expect(await keep({}, false, reject)).toMatchObject({ kind: 'deadLetter' });
    expect(calls).toBe(1);
  });
});
