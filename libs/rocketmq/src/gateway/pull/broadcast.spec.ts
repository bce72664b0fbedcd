import { describe, expect, it } from '@jest/globals';
import { TOPIC } from '../../../../../test/fixtures/gateway-world.js';
import { PulledBroker, pullWorld, stored } from '../../../../../test/fixtures/pulled-broker.js';
import { until } from '../../../../../tools/until.js';
import { Connection } from '../../client/connection.js';
import { DeadLetterError, RetryLaterError } from '../../consumer/model/outcome-errors.js';
import { PushConsumer } from '../../consumer/push-consumer.js';
import type { MessageView } from '../../protocol/model/message.js';
import { REQUEST_CODES as CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import { HOUR_MS, SECOND_MS } from '../../support/clock.js';

const MODE = { mode: 'broadcast' } as const;
const soon = () => new RetryLaterError({ delayMs: 50 });

/** Queue 0 has these messages, and ends there. */
function endingAt(broker: PulledBroker, messages: PulledBroker['messages']): void {
  broker.messages = messages;
  broker.answers[CODES.getMaxOffset] = ({ fields: { queueId } }) => ({
    fields: { offset: queueId === '0' ? String(broker.messages.length) : '0' },
  });
}

/** What is stored is found by the pull that waits, too. */
function store(broker: PulledBroker, ...messages: Buffer[]): void {
  broker.messages = [...broker.messages, ...messages];
  broker.endPull();
}

describe('a broadcast', () => {
  const { consumerOf } = pullWorld();

  it('begins at the end of each queue, has all of them whoever else is there, and stores nothing', async () => {
    const broker = new PulledBroker();
    endingAt(broker, [stored(0), stored(1)]);
    broker.otherMembers = ['!', '~'];
    const { consumer, sent, handled, pulled } = await consumerOf(broker, MODE);
    await until(() => pulled().size === 4 && broker.isPullWaiting);
    store(broker, stored(2));
    await until(() => handled.length > 0);
    await consumer.close();
    expect(handled).toEqual(['ID-2 1']);
    expect([...pulled()].sort()).toEqual([0, 1, 2, 3].map((id) => `${TOPIC} ${id}`));
    const [data] = JSON.parse(sent(CODES.heartBeat)[0]?.body ?? '').consumerDataSet;
    expect(data).toMatchObject({ messageModel: 'BROADCASTING', consumeType: 'CONSUME_PASSIVELY' });
    expect(data.subscriptionDataSet.map(({ topic }: { topic: string }) => topic)).toEqual([TOPIC]);
    // The lowest bit of a pull stores a position.
    expect(sent(CODES.pullMessage).filter(({ fields }) => Number(fields.sysFlag) % 2 === 1)).toEqual([]);
    expect([...sent(CODES.updateConsumerOffset), ...sent(CODES.consumerSendMessageBack)]).toEqual([]);
    expect(sent(CODES.unregisterClient)).toHaveLength(1);
  });

  it('knows where it begins when it has started', async () => {
    const broker = new PulledBroker();
    endingAt(broker, [stored(0)]);
    const { handled } = await consumerOf(broker, MODE);
    // Before the first pull.
    store(broker, stored(1));
    await until(() => handled.length > 0);
    expect(handled).toEqual(['ID-1 1']);
  });

  it('retries in memory, behind which others go on', async () => {
    const broker = new PulledBroker();
    endingAt(broker, []);
    const seen: string[] = [];
    const handler = ({ messageId, deliveryAttempt }: MessageView): void => {
      seen.push(`${messageId} ${deliveryAttempt}`);
      if (messageId === 'ID-0' && deliveryAttempt < 3) throw new RetryLaterError({ delayMs: 1_200 });
    };
    const { sent } = await consumerOf(broker, { ...MODE, handler });
    store(broker, stored(0), stored(1));
    await until(() => seen.includes('ID-0 3'));
    expect(seen).toEqual([...seen.slice(0, 2).sort(), 'ID-0 2', 'ID-0 3']);
    expect(seen.slice(0, 2).sort()).toEqual(['ID-0 1', 'ID-1 1']);
    expect(sent(CODES.consumerSendMessageBack)).toEqual([]);
  });

  it('retries an ordered message in its place, without a lock', async () => {
    const broker = new PulledBroker();
    endingAt(broker, []);
    const seen: string[] = [];
    const handler = ({ messageId, deliveryAttempt }: MessageView): void => {
      seen.push(`${messageId} ${deliveryAttempt}`);
      if (messageId === 'ID-0' && deliveryAttempt < 2) throw soon();
    };
    const { sent } = await consumerOf(broker, { ...MODE, requireFifo: true, handler });
    store(broker, stored(0), stored(1));
    await until(() => seen.length === 3);
    expect(seen).toEqual(['ID-0 1', 'ID-0 2', 'ID-1 1']);
    expect(sent(CODES.lockBatchMq)).toEqual([]);
  });

  it.each([
    ['is one for its handler', () => new DeadLetterError('never'), 1],
    // The group has four attempts.
    ['has had all its attempts', soon, 4],
  ])('drops a message, and says so, that %s', async (_, failure, attempts) => {
    const broker = new PulledBroker();
    endingAt(broker, []);
    const seen: number[] = [];
    const { sent, lines } = await consumerOf(broker, {
      ...MODE,
      backoff: { kind: 'customized', nextMs: [20] },
      handler: ({ deliveryAttempt }) => {
        seen.push(deliveryAttempt);
        throw failure();
      },
    });
    store(broker, stored(0));
    const dropped = () => lines.filter(({ text }) => text.includes('dead letter of a broadcast is dropped'));
    await until(() => dropped().length > 0);
    expect(dropped()).toMatchObject([{ fields: { topic: TOPIC, messageId: 'ID-0' } }]);
    expect(seen).toEqual(Array.from({ length: attempts }, (__, index) => index + 1));
    expect(sent(CODES.consumerSendMessageBack)).toEqual([]);
  });

  it.each([
    ['it is in no route', true, true],
    ['it has not registered the client again', false, true],
    ['none has registered the client again', false, false],
  ])(
    'goes on where it was at a broker that was away, also in the middle of a retry, while %s',
    async (_, isHidden, hasOther) => {
      const [broker, other] = [new PulledBroker(), new PulledBroker()];
      endingAt(broker, []);
      const seen: string[] = [];
      const signals: AbortSignal[] = [];
      const handler = (
        { messageId, deliveryAttempt }: MessageView,
        context: { readonly signal: AbortSignal },
      ): void => {
        seen.push(`${messageId} ${deliveryAttempt}`);
        signals.push(context.signal);
        if (messageId === 'ID-0' && deliveryAttempt === 1) throw new RetryLaterError({ delayMs: 3 * SECOND_MS });
      };
      const others = hasOther ? [other] : [];
      const { sent, lines, hide, routesAsked } = await consumerOf(broker, { ...MODE, handler }, ...others);
      store(broker, stored(0), stored(1));
      await until(() => seen.length === 2);
      let isRegistering = false;
      if (isHidden) hide(0);
      else {
        broker.answers[CODES.getAllSubscriptionGroupConfig] = () => {
          isRegistering = true;
          return { code: RESPONSE_CODES.systemBusy, remark: 'busy' };
        };
      }
      const [before, routes] = [sent(CODES.heartBeat).length, routesAsked()];
      broker.disconnect();
      if (isHidden) await until(() => sent(CODES.heartBeat).length > before);
      else await until(() => isRegistering);
      // What there is to pull is looked for meanwhile.
      if (hasOther) other.announce();
      else broker.announce();
      if (hasOther) await until(() => routesAsked() > routes);
      broker.answers[CODES.getAllSubscriptionGroupConfig] = undefined;
      store(broker, stored(2));
      await until(() => seen.includes('ID-2 1') && seen.includes('ID-0 2'));
      expect(lines.some(({ text }) => text.includes('is down'))).toBe(true);
      expect([...seen].sort()).toEqual(['ID-0 1', 'ID-0 2', 'ID-1 1', 'ID-2 1']);
      expect(signals.some(({ aborted }) => aborted)).toBe(false);
    },
  );

  it('receives from a broker that does not say where it ends what was stored since then', async () => {
    const broker = new PulledBroker();
    const startedAtMs = Date.now();
    const times = [1, 2, startedAtMs - HOUR_MS, startedAtMs + HOUR_MS, startedAtMs + 2 * HOUR_MS];
    endingAt(
      broker,
      times.map((storedAtMs, offset) => stored(offset, { storedAtMs })),
    );
    const usual = broker.answers[CODES.getMaxOffset];
    // Once for each queue.
    let rejections = 4;
    broker.answers[CODES.getMaxOffset] = (request) =>
      rejections-- > 0 ? { code: RESPONSE_CODES.systemBusy, remark: 'busy' } : usual?.(request);
    const { handled } = await consumerOf(broker, MODE);
    await until(() => handled.length === 2);
    expect(handled.sort()).toEqual(['ID-3 1', 'ID-4 1']);
  });

  it('is held up by many messages that wait for a retry, not by one', async () => {
    const broker = new PulledBroker();
    endingAt(broker, []);
    broker.answers[CODES.pullMessage] = ({ fields: { topic, queueId, queueOffset = '' } }) => {
      const offset = Number(queueOffset);
      const found = topic === TOPIC && queueId === '0' ? broker.messages.slice(offset, offset + 32) : [];
      if (found.length === 0) return undefined;
      return { fields: { nextBeginOffset: String(offset + found.length) }, body: Buffer.concat(found) };
    };
    let handled = 0;
    let areFailing = false;
    const handler = ({ messageId }: MessageView): void => {
      handled++;
      if (areFailing || messageId === 'ID-0') throw new RetryLaterError({ delayMs: HOUR_MS });
    };
    const { consumer, lines } = await consumerOf(broker, { ...MODE, handler });
    const several = (from: number) => Array.from({ length: 2_100 }, (_, offset) => stored(from + offset));
    store(broker, ...several(0));
    await until(() => handled === 2_100);
    expect(consumer.health.heldUp).toEqual([]);
    areFailing = true;
    store(broker, ...several(2_100));
    await until(() => consumer.health.heldUp.length > 0);
    expect(consumer.health.heldUp).toMatchObject([{ topic: TOPIC, queueId: 0, messageId: 'ID-0' }]);
    expect(lines.filter(({ text }) => text.includes('most of them for a retry'))).toHaveLength(1);
  });

  it('does not start in a group that allows none', async () => {
    const broker = new PulledBroker();
    broker.answers[CODES.getAllSubscriptionGroupConfig] = () => ({
      body: '{"subscriptionGroupTable":{"shop":{"retryMaxTimes":3,"consumeBroadcastEnable":false}}}',
    });
    await expect(consumerOf(broker, MODE)).rejects.toThrow(
      /allows no broadcasts to consumer group "shop".*updateSubGroup -g shop -d true/,
    );
  });

  it('is rejected with a proxy, and for lite topics', () => {
    const options = { consumerGroup: 'shop', subscriptions: [{ topic: TOPIC }], handler: () => {}, ...MODE };
    const byProxy = new Connection({ endpoints: '127.0.0.1:1' });
    const byName = new Connection({ endpoints: 'name-server:127.0.0.1:1' });
    expect(() => new PushConsumer(byProxy, options)).toThrow(/option mode cannot be broadcast with a proxy/);
    const lite = { ...options, liteTopics: [], deadLetterTo: async () => {} };
    expect(() => new PushConsumer(byName, lite)).toThrow(
      /option mode cannot be broadcast for a consumer of lite topics/,
    );
    byProxy.close();
    byName.close();
  });
});
