import type { Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import {
  broker,
  EMPTY,
  GROUP,
  gatewayWorld,
  popped,
  RELEASES,
  TOPIC,
} from '../../../../test/fixtures/gateway-world.js';
import { type BrokerScript } from '../../../../test/fixtures/scripted-cluster.js';
import { encodeAnswer } from '../../../../test/fixtures/scripted-remoting-server.js';
import { until } from '../../../../tools/until.js';
import { PushConsumer } from '../consumer/push-consumer.js';
import type { PushConsumerOptions } from '../consumer/push-consumer-options.js';
import { SimpleConsumer } from '../consumer/simple/simple-consumer.js';
import { REQUEST_CODES as CODES } from '../protocol/remoting/codes.js';
import { SECOND_MS } from '../support/clock.js';
import { silentLogger } from '../support/logger.js';

const ORDERED = { retryMaxTimes: 16, consumeMessageOrderly: true };
const UNORDERED = { retryMaxTimes: 16, consumeMessageOrderly: false };
const LATE = [0, 1] as const;

/** Messages of one message group, in one answer. */
function answerWith(...ids: string[]) {
  const messages = ids.map((id) => new Map([...Object.entries({ UNIQ_KEY: id, __SHARDINGKEY: 'one' })]));
  return { ...popped(), body: Buffer.concat(messages.map((properties) => popped({}, undefined, properties).body)) };
}

describe('a group whose settings differ between brokers', () => {
  const { closers, connected } = gatewayWorld();

  /**
   * Two brokers with the settings of the group, of which one answers last.
   * @param polls what their first polls bring
   */
  async function world(
    settings: object[],
    { late = 1, polls = [] as (object | undefined)[], options = {} as Partial<PushConsumerOptions> } = {},
  ) {
    const lines: { text: string; fields: Record<string, unknown> }[] = [];
    const note = (text: string, fields = {}) => void lines.push({ text, fields });
    const sockets: (Socket | undefined)[] = [];
    const asked: number[] = settings.map(() => 0);
    let isOtherKnown = false;
    let release = (): void => {};
    const scriptOf = (_: object, index: number): BrokerScript =>
      broker(({ code, opaque }, socket) => {
        sockets[index] = socket;
        const isLate = index === late;
        if (code === CODES.heartBeat && !isLate && !isOtherKnown) {
          isOtherKnown = true;
          release();
        }
        if (code === CODES.popMessage) {
          const first = (asked[index] ?? 0) === 0 ? polls[index] : undefined;
          asked[index] = (asked[index] ?? 0) + 1;
          return (first as typeof EMPTY | undefined) ?? EMPTY;
        }
        if (code !== CODES.getSubscriptionGroupConfig) return 'usual';
        const answer = () => ({ version: RELEASES.v550, body: JSON.stringify(settings[index]) });
        if (!isLate || isOtherKnown) return answer();
        release = () => void socket?.write(encodeAnswer(opaque, answer()));
        return undefined;
      });
    const logger = { ...silentLogger, info: note, warn: note, error: note };
    const { connection, brokers, hide, show } = await connected(settings.map(scriptOf), SECOND_MS, logger);
    const consumer = new PushConsumer(connection, {
      consumerGroup: GROUP,
      subscriptions: [{ topic: TOPIC }],
      handler: () => {},
      ...options,
    });
    closers.push(() => consumer.close({ shutdownGraceMs: 0 }));
    const sentTo = (index: number, code: number) =>
      brokers[index]?.requests.filter((request) => request.code === code).length ?? 0;
    const differences = () => lines.filter(({ text }) => text.includes('settings of the consumer group'));
    return { consumer, connection, lines, differences, sockets, sentTo, settings, hide, show };
  }

  it.each(LATE)('is rejected where it must be ordered, whichever broker answers last (%i)', async (late) => {
    const { consumer } = await world([ORDERED, UNORDERED], { late, options: { requireFifo: true } });
    await expect(consumer.start()).rejects.toMatchObject({
      code: 'CONSUMER_GROUP_NOT_FIFO',
      message: expect.stringContaining('broker-1'),
      command: expect.stringContaining(`group create ${GROUP} --fifo --yes`),
    });
  });

  it.each(LATE)('is handled in order where it is ordered, and only there (%i answers last)', async (late) => {
    const running = new Set<string>();
    const together = new Set<string>();
    const done: string[] = [];
    let meet = (): void => {};
    const met = new Promise<void>((resolve) => {
      meet = resolve;
    });
    const handler: PushConsumerOptions['handler'] = async ({ messageId }) => {
      running.add(messageId);
      for (const other of running)
        if (other[0] === messageId[0] && other !== messageId) together.add(messageId[0] ?? '');
      // The messages of the broker without order are handled at once; those of the other end after that.
      if (together.has('b')) meet();
      await met;
      running.delete(messageId);
      done.push(messageId);
    };
    const { consumer } = await world([ORDERED, UNORDERED], {
      late,
      polls: [answerWith('a1', 'a2'), answerWith('b1', 'b2')],
      options: { handler, concurrency: 8 },
    });
    await consumer.start();
    await until(() => done.length === 4);
    expect([...together]).toEqual(['b']);
    expect(done.filter((id) => id.startsWith('a'))).toEqual(['a1', 'a2']);
  });

  it.each(LATE)('has the attempts of the broker that the message is on (%i answers last)', async (late) => {
    const kept: string[] = [];
    const { consumer, sentTo } = await world([{ retryMaxTimes: 2 }, { retryMaxTimes: 16 }], {
      late,
      polls: [popped({}, undefined, new Map([['UNIQ_KEY', 'last']]), 2)],
      options: {
        handler: () => Promise.reject(new Error('fails')),
        deadLetterTo: async ({ message }) => void kept.push(`${message.messageId} ${message.deliveryAttempt}`),
      },
    });
    await consumer.start();
    await until(() => sentTo(0, CODES.ackMessage) > 0);
    expect([kept, sentTo(0, CODES.consumerSendMessageBack)]).toEqual([['last 3'], 0]);
  });

  it('takes attempts that were changed meanwhile from the delivery on that shows it', async () => {
    const kept: string[] = [];
    const { consumer, settings, sentTo } = await world([{ retryMaxTimes: 16 }], {
      late: -1,
      polls: [popped({}, undefined, new Map([['UNIQ_KEY', 'last']]), 2)],
      options: {
        handler: () => Promise.reject(new Error('fails')),
        deadLetterTo: async ({ message }) => void kept.push(message.messageId),
      },
    });
    consumer.pause();
    await consumer.start();
    settings[0] = { retryMaxTimes: 2 };
    // The gateway asks once a second at most.
    await new Promise((resolve) => setTimeout(resolve, SECOND_MS));
    consumer.resume();
    await until(() => sentTo(0, CODES.ackMessage) > 0);
    expect([kept, sentTo(0, CODES.consumerSendMessageBack)]).toEqual([['last'], 0]);
  });

  it('is reported at startup with the brokers and the command, and again when that changes', async () => {
    const { consumer, settings, differences, sockets } = await world([
      { ...ORDERED, retryMaxTimes: 2 },
      { ...UNORDERED, retryMaxTimes: 16 },
    ]);
    await consumer.start();
    expect(differences()).toMatchObject([
      {
        fields: {
          consumerGroup: GROUP,
          ordered: expect.stringMatching(/^no on broker-1 \(.*\); yes on broker-0 \(.*\)$/),
          maxAttempts: expect.stringMatching(/^17 on broker-1 .*; 3 on broker-0 /),
          command: expect.stringContaining(`group create ${GROUP} --fifo --max-attempts 17 --yes`),
        },
      },
    ]);
    settings[0] = ORDERED;
    settings[1] = ORDERED;
    sockets[0]?.destroy();
    // One broker may be asked before the other.
    await until(() => differences().at(-1)?.text.includes('the same settings of the consumer group again') === true);
    settings[1] = UNORDERED;
    sockets[1]?.destroy();
    await until(() => differences().at(-1)?.fields.ordered !== undefined);
    expect(differences().at(-1)?.fields).toMatchObject({ ordered: expect.stringContaining('no on broker-1') });
  });

  it('is received from no broker that stops to order it, where it must be ordered, until the broker orders it again', async () => {
    const { consumer, lines, settings, sockets, sentTo } = await world([ORDERED, ORDERED], {
      options: { requireFifo: true },
    });
    await consumer.start();
    await until(() => sentTo(1, CODES.popMessage) > 0);
    settings[1] = UNORDERED;
    sockets[1]?.destroy();
    const errorOf = () => consumer.health.sessions.find(({ status }) => status === 'rejected')?.error ?? '';
    await until(() => errorOf() !== '');
    expect(errorOf()).toContain('is not an ordered (FIFO) group on broker-1');
    const asked = sentTo(1, CODES.getSubscriptionGroupConfig);
    await until(() => sentTo(1, CODES.getSubscriptionGroupConfig) > asked + 2);
    const rejections = lines.filter(
      ({ text, fields }) =>
        text.startsWith('telemetry') && String(fields.error).includes(`create ${GROUP} --fifo --yes`),
    );
    // However often it tries again.
    expect(rejections).toHaveLength(1);
    const polls = sentTo(1, CODES.popMessage);
    settings[1] = ORDERED;
    await until(() => consumer.health.sessions.every(({ status }) => status === 'ready'));
    await until(() => sentTo(1, CODES.popMessage) > polls);
  });

  it('is reported with the broker and the command when its only broker no longer orders it', async () => {
    const { consumer, lines, settings, sockets } = await world([ORDERED], { late: -1 });
    await consumer.start();
    settings[0] = UNORDERED;
    sockets[0]?.destroy();
    const warned = () => lines.find(({ text }) => text.includes('no longer orders the consumer group'));
    await until(() => warned() !== undefined);
    expect(warned()?.fields).toMatchObject({
      server: expect.stringContaining('broker-0'),
      command: expect.stringContaining(`group create ${GROUP} --fifo --yes`),
    });
  });

  it('is rejected by a consumer whose listener allows more attempts than one of the brokers, by name', async () => {
    const options = { maxAttempts: 5 };
    const { consumer } = await world([{ retryMaxTimes: 2 }, { retryMaxTimes: 16 }], { options });
    const rejected = { code: 'TOO_MANY_ATTEMPTS', message: expect.stringContaining('broker-0') };
    await expect(consumer.start()).rejects.toMatchObject(rejected);
  });

  it('is reported when a broker allows fewer attempts than a listener later', async () => {
    const { consumer, lines, settings, sockets } = await world([ORDERED, ORDERED], { options: { maxAttempts: 5 } });
    await consumer.start();
    settings[1] = { ...ORDERED, retryMaxTimes: 2 };
    sockets[1]?.destroy();
    const warned = () => lines.find(({ fields }) => fields.code === 'TOO_MANY_ATTEMPTS');
    await until(() => warned() !== undefined);
    expect(warned()?.text).toContain('broker-1');
  });

  it.each([
    ['is rejected', true],
    ['is reported', false],
  ])('%s with the name of a broker that joins, before its route is known', async (_, requireFifo) => {
    const { consumer, lines, hide, show } = await world([ORDERED, UNORDERED], { options: { requireFifo } });
    hide(1);
    await consumer.start();
    show(1);
    const reported = () => lines.filter(({ fields }) => JSON.stringify(fields).includes('--fifo'));
    await until(() => reported().length > 0);
    for (const { fields } of reported()) expect(JSON.stringify(fields)).toContain('broker-1 (');
  });

  it('is reported to a simple consumer too', async () => {
    const { connection, differences } = await world([ORDERED, UNORDERED]);
    const consumer = new SimpleConsumer(connection, { consumerGroup: GROUP, subscriptions: [{ topic: TOPIC }] });
    closers.push(() => consumer.close());
    await consumer.start();
    expect(differences()).toHaveLength(1);
  });
});
