// A broker that does not flush each message loses the last ones with its power, and gives their offsets to new ones.

import { describe, expect, it } from '@jest/globals';
import { TOPIC } from '../../../../../test/fixtures/gateway-world.js';
import { PulledBroker, pullWorld, stored } from '../../../../../test/fixtures/pulled-broker.js';
import { until } from '../../../../../tools/until.js';
import { RetryLaterError } from '../../consumer/model/outcome-errors.js';
import type { MessageView } from '../../protocol/model/message.js';
import { REQUEST_CODES as CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';

/** A message that was stored after the broker had lost the one at its offset. */
function late(offset: number, storedAtMs = 3, tag?: string): Buffer {
  const properties = new Map([['UNIQ_KEY', `LATE-${offset}`]]);
  return stored(offset, { storedAtMs, properties, ...(tag === undefined ? {} : { tag }) });
}

/** The broker does not say what it has in queue 0. @returns how often it was asked; what has it answer */
function reticent(broker: PulledBroker) {
  let asked = 0;
  broker.answers[CODES.pullMessage] = ({ fields: { topic, queueId, sysFlag } }) => {
    if (topic !== TOPIC || queueId !== '0' || sysFlag !== '4') return undefined;
    asked++;
    return { code: RESPONSE_CODES.systemBusy, remark: 'busy' };
  };
  const speak = (): void => {
    broker.answers[CODES.pullMessage] = undefined;
  };
  return { asked: () => asked, speak };
}

function restartWith(broker: PulledBroker, ...messages: readonly Buffer[]): void {
  broker.messages = messages;
  broker.disconnect();
}

describe('a broker that has lost its last messages', () => {
  const { consumerOf } = pullWorld();

  it.each([
    ['below the position of the group', [late(1)]],
    ['up to it', [late(1), late(2)]],
    ['beyond it', [late(1), late(2), late(3)]],
    ['in the same moment', [late(1), late(2, 3), late(3, 3)]],
  ])('has what it stored in their places received, %s', async (_, added) => {
    const broker = new PulledBroker();
    broker.messages = [stored(0, { storedAtMs: 1 }), stored(1), stored(2)];
    const { handled, commits, lines } = await consumerOf(broker, {});
    await until(() => commits().includes(3));
    restartWith(broker, stored(0, { storedAtMs: 1 }), ...added);
    const end = 1 + added.length;
    await until(() => handled.length === 3 + added.length && broker.position === end);
    expect(handled.slice(3).sort()).toEqual(added.map((__, index) => `LATE-${index + 1} 1`));
    const said = lines.filter(({ text }) => text.includes('has lost messages'));
    expect(said).toMatchObject([{ fields: { topic: TOPIC, queueId: 0, from: 3, to: 1 } }]);
  });

  it('has it received although its clock was set back', async () => {
    const broker = new PulledBroker();
    broker.messages = [stored(0, { storedAtMs: 8 }), stored(1, { storedAtMs: 9 })];
    const { handled, commits } = await consumerOf(broker, {});
    await until(() => commits().includes(2));
    restartWith(broker, stored(0, { storedAtMs: 8 }), late(1, 5), late(2, 6));
    await until(() => handled.length === 4);
    expect(handled.slice(2).sort()).toEqual(['LATE-1 1', 'LATE-2 1']);
  });

  it('repeats nothing when it has lost nothing', async () => {
    const broker = new PulledBroker();
    broker.messages = [stored(0), stored(1)];
    const { handled, commits, lines } = await consumerOf(broker, {});
    await until(() => commits().includes(2));
    restartWith(broker, stored(0), stored(1), late(2));
    await until(() => handled.length === 3);
    expect(handled[2]).toBe('LATE-2 1');
    expect(lines.filter(({ text }) => text.includes('has lost messages'))).toEqual([]);
  });

  it('has what matches received, in the places of messages that did not match', async () => {
    const broker = new PulledBroker();
    broker.messages = [stored(0, { tag: 'a' }), stored(1, { tag: 'b' }), stored(2, { tag: 'b' })];
    broker.answers[CODES.pullMessage] = ({ fields: { topic, queueId, queueOffset, subscription } }) => {
      if (topic !== TOPIC || queueId !== '0' || subscription === '*') return undefined;
      const found = broker.messages.slice(Number(queueOffset)).filter((bytes) => bytes.includes('TAGS\u0001a'));
      if (Number(queueOffset) >= broker.messages.length) return undefined;
      const nextBeginOffset = String(broker.messages.length);
      if (found.length === 0) return { code: RESPONSE_CODES.pullRetryImmediately, fields: { nextBeginOffset } };
      return { fields: { nextBeginOffset }, body: Buffer.concat(found) };
    };
    const { handled, commits } = await consumerOf(broker, {
      subscriptions: [{ topic: TOPIC, filter: { kind: 'tag', expression: 'a' } }],
    });
    await until(() => commits().includes(3));
    restartWith(broker, stored(0, { tag: 'a' }), stored(1, { tag: 'b' }), late(2, 3, 'a'), late(3, 3, 'a'));
    await until(() => handled.length === 3);
    expect(handled).toEqual(['ID-0 1', 'LATE-2 1', 'LATE-3 1']);
  });

  it('leaves in hand what it has not lost, and a late handler settles nothing in the place of its message', async () => {
    const broker = new PulledBroker();
    broker.messages = [stored(0, { storedAtMs: 1 }), stored(1)];
    const seen: string[] = [];
    const signals: AbortSignal[] = [];
    const finish = new Map<string, () => void>();
    const handler = (
      { messageId, deliveryAttempt }: MessageView,
      { signal }: { readonly signal: AbortSignal },
    ): Promise<void> => {
      seen.push(`${messageId} ${deliveryAttempt}`);
      signals.push(signal);
      return new Promise((resolve, reject) => {
        finish.set(messageId, messageId === 'ID-0' ? () => reject(new RetryLaterError({ delayMs: 20 })) : resolve);
      });
    };
    const { commits } = await consumerOf(broker, { handler });
    await until(() => finish.size === 2 && broker.isPullWaiting);
    restartWith(broker, stored(0, { storedAtMs: 1 }), late(1));
    await until(() => finish.size === 3 && broker.isPullWaiting);
    // The one that was lost.
    finish.get('ID-1')?.();
    finish.get('ID-0')?.();
    await until(() => seen.length === 4);
    expect(seen.slice(2)).toEqual(['LATE-1 1', 'ID-0 2']);
    expect(signals.filter(({ aborted }) => aborted)).toEqual([]);
    expect(commits().filter((offset) => offset !== 0)).toEqual([]);
  });

  it('stores no position before it is known to have what was received', async () => {
    const broker = new PulledBroker();
    broker.messages = [stored(0, { storedAtMs: 1 }), stored(1)];
    const { handled, commits } = await consumerOf(broker, {});
    await until(() => broker.position === 2);
    const { asked, speak } = reticent(broker);
    broker.position = 0;
    const before = commits().length;
    restartWith(broker, stored(0, { storedAtMs: 1 }), late(1), late(2));
    await until(() => asked() > 2);
    expect(broker.position).toBe(0);
    speak();
    await until(() => handled.length === 4 && broker.position === 3);
    expect(commits().slice(before).includes(2)).toBe(false);
  });

  it('is not asked to store a retry of what it may have lost: it would take the message in its place', async () => {
    const broker = new PulledBroker();
    broker.messages = [stored(0, { storedAtMs: 1 }), stored(1)];
    const { asked, speak } = reticent(broker);
    let fail = (): void => {};
    const handler = ({ messageId }: MessageView): Promise<void> | undefined => {
      if (messageId !== 'ID-1') return undefined;
      return new Promise((_, reject) => {
        fail = () => reject(new RetryLaterError({ delayMs: 6_000 }));
      });
    };
    const { commits, sent } = await consumerOf(broker, { handler });
    await until(() => commits().includes(1));
    restartWith(broker, stored(0, { storedAtMs: 1 }), late(1));
    await until(() => asked() > 0);
    fail();
    await until(() => asked() > 3);
    speak();
    await until(() => broker.position === 2);
    expect(sent(CODES.consumerSendMessageBack)).toEqual([]);
  });

  it('is read from there by who had its queues before it was away, although its position was kept', async () => {
    const [broker, other] = [new PulledBroker(), new PulledBroker()];
    broker.messages = [stored(0, { storedAtMs: 1 }), stored(1), stored(2)];
    const { handled, sent, routesAsked } = await consumerOf(broker, {}, other);
    await until(() => broker.position === 3);
    const begun = () => sent(CODES.queryConsumerOffset).filter(({ fields }) => fields.queueId === '0').length;
    let isRegistering = false;
    broker.answers[CODES.getAllSubscriptionGroupConfig] = () => {
      isRegistering = true;
      return { code: RESPONSE_CODES.systemBusy, remark: 'busy' };
    };
    const [before, routes] = [begun(), routesAsked()];
    restartWith(broker, stored(0, { storedAtMs: 1 }), late(1), late(2), late(3));
    await until(() => isRegistering);
    // The queues of the broker are given up.
    other.announce();
    await until(() => routesAsked() > routes);
    broker.answers[CODES.getAllSubscriptionGroupConfig] = undefined;
    await until(() => handled.length === 6);
    expect(handled.slice(3).sort()).toEqual(['LATE-1 1', 'LATE-2 1', 'LATE-3 1']);
    expect(begun()).toBeGreaterThan(before);
  });
});
