import { describe, expect, it } from '@jest/globals';
import {
  broker,
  EMPTY,
  GROUP,
  gatewayWorld,
  popped,
  RELEASES,
  TOPIC,
  UNTYPED,
  usual,
} from '../../../../test/fixtures/gateway-world.js';
import { encodeAnswer } from '../../../../test/fixtures/scripted-remoting-server.js';
import { soon, until } from '../../../../tools/until.js';
import { Connection } from '../client/connection.js';
import { SimpleConsumer } from '../consumer/simple/simple-consumer.js';
import { REQUEST_CODES as CODES, RESPONSE_CODES } from '../protocol/remoting/codes.js';
import { realTimeIn } from '../support/deadline.js';

const TOO_OLD = { ...EMPTY, remark: 'the broker[127.0.0.1] pop message is timeout too much' };

describe('receiving through the gateway', () => {
  const { cluster, closers, connected, consumerOn } = gatewayWorld();

  it('names the time of the broker where the broker does not put its own, as those of 5.3 with access control', async () => {
    const brokerAheadMs = -3_600_000;
    const { consumer, sent } = await consumerOn(
      broker(({ code, fields }) => {
        if (code !== CODES.popMessage) return 'usual';
        if (fields.bornTime === '0') return TOO_OLD;
        return popped({ popTime: String(realTimeIn(brokerAheadMs).getTime()) });
      }),
    );
    await consumer.start();
    expect(await consumer.receive()).toHaveLength(1);
    expect(await consumer.receive()).toHaveLength(1);
    const [first, second, third] = sent(CODES.popMessage).map(({ fields }) => Number(fields.bornTime));
    expect([first, Math.round(((third ?? 0) - (second ?? 0)) / 60_000)]).toEqual([0, -60]);
  });

  it('reports a broker that takes every poll for an old one, and does not ask it without a pause', async () => {
    const { consumer, sent } = await consumerOn(broker(({ code }) => (code === CODES.popMessage ? TOO_OLD : 'usual')));
    await consumer.start();
    await expect(consumer.receive()).rejects.toMatchObject({ code: 'ILLEGAL_POLLING_TIME', outcome: 'rejected' });
    expect(sent(CODES.popMessage)).toHaveLength(2);
  });

  describe('a poll that is answered after its caller has gone', () => {
    async function answeredLate(answer: Parameters<typeof encodeAnswer>[1]) {
      let release = (): void => {};
      const world = await consumerOn(
        broker(({ code, opaque }, socket) => {
          if (code !== CODES.popMessage) return 'usual';
          release = () => void socket?.write(encodeAnswer(opaque, { version: RELEASES.v550, ...answer }));
          return undefined;
        }),
      );
      await world.consumer.start();
      const polls = async (count: number): Promise<void> => {
        const controller = new AbortController();
        const receiving = world.consumer.receive({ signal: controller.signal });
        await until(() => world.sent(CODES.popMessage).length >= count);
        controller.abort(new Error('given up'));
        await receiving.catch(() => {});
      };
      await polls(1);
      release();
      return { ...world, polls };
    }

    it('is released', async () => {
      const { sent } = await answeredLate(popped());
      await until(() => sent(CODES.changeMessageInvisibleTime).length > 0);
      expect(sent(CODES.changeMessageInvisibleTime).map(({ fields }) => fields)).toMatchObject([
        { invisibleTime: '1000', suspend: 'true', offset: '9' },
      ]);
    });

    it('does no harm when its answer cannot be read', async () => {
      const { polls, sent } = await answeredLate({ body: Buffer.from('no message') });
      await polls(2);
      expect(sent(CODES.popMessage)).toHaveLength(2);
    });
  });

  it('does not report a copied dead letter as one that was not sent', async () => {
    let polls = 0;
    const { consumer, sent } = await consumerOn(
      broker(({ code }) => {
        if (code === CODES.ackMessage) return { code: RESPONSE_CODES.serviceNotAvailable, remark: 'stopping' };
        return code === CODES.popMessage && polls++ === 0 ? popped() : 'usual';
      }),
    );
    await consumer.start();
    const [message] = await consumer.receive();
    const moving = message === undefined ? undefined : consumer.forwardToDeadLetterQueue(message);
    await expect(moving).rejects.toMatchObject({ outcome: 'unknown' });
    expect(sent(CODES.consumerSendMessageBack)).toHaveLength(1);
  });

  it.each([9_000_000_000_000_000n, -9_000_000_000_000_000n, 2n ** 63n - 1n, -(2n ** 63n)])(
    'hands over a message with times of %d ms, beyond any date',
    async (timeMs) => {
      const properties = new Map([
        ['UNIQ_KEY', 'THE-ID'],
        ['TIMER_DELIVER_MS', String(timeMs)],
      ]);
      let polls = 0;
      const { consumer } = await consumerOn(
        broker(({ code }) => {
          if (code !== CODES.popMessage || polls++ > 0) return 'usual';
          const answer = popped({}, undefined, properties);
          // The places of the born time and the store time.
          for (const at of [40, 56]) answer.body.writeBigInt64BE(timeMs, at);
          return answer;
        }),
      );
      await consumer.start();
      const [message] = await consumer.receive();
      const nearestMs = timeMs < 0n ? -8.64e15 : 8.64e15;
      expect(message).toMatchObject({ bornTimestampMs: nearestMs, storeTimestampMs: nearestMs });
      expect(message).toMatchObject({ messageId: 'THE-ID', deliveryTimestampMs: undefined });
    },
  );

  it('identifies a delivery to the broker as the broker did', async () => {
    let polls = 0;
    const { consumer, sent } = await consumerOn(
      broker(({ code }) => (code === CODES.popMessage && polls++ === 0 ? popped() : 'usual')),
    );
    await consumer.start();
    const [message] = await consumer.receive();
    expect(message).toMatchObject({ messageId: 'THE-ID', queueId: 1, queueOffset: 9, deliveryAttempt: 1 });
    if (message !== undefined) await consumer.ack(message);
    expect(sent(CODES.ackMessage).map(({ fields }) => fields)).toEqual([
      { consumerGroup: GROUP, topic: TOPIC, queueId: '1', extraInfo: '8 1000 10000 3 0 broker-0 1 9', offset: '9' },
    ]);
  });

  it('acknowledges on the broker that handed the message out, wherever it is now', async () => {
    let polls = 0;
    const { nameServer, brokers, move } = await cluster.start([
      broker(({ code }) => (code === CODES.popMessage && polls++ === 0 ? popped() : 'usual')),
    ]);
    const { brokers: elsewhere } = await cluster.start([usual]);
    const connection = new Connection({ endpoints: `name-server:${nameServer.address}`, requestTimeoutMs: 5_000 });
    closers.push(() => connection.close());
    const consumer = new SimpleConsumer(connection, { consumerGroup: GROUP, subscriptions: [{ topic: TOPIC }] });
    closers.push(() => consumer.close());
    await consumer.start();
    const [message] = await consumer.receive();
    move(0, elsewhere[0]?.address ?? '');
    await consumer.subscribe({ topic: 'another' });
    if (message !== undefined) await consumer.ack(message);
    const acks = [...brokers, ...elsewhere].map(({ requests }) =>
      requests.filter(({ code }) => code === CODES.ackMessage),
    );
    expect(acks.map(({ length }) => length)).toEqual([0, 1]);
  });

  it.each([
    ['a first delivery', {}, '8 1000 10000 3 0 broker-0 1 9', TOPIC],
    [
      'a retry',
      { startOffsetInfo: '1 1 6', msgOffsetInfo: '1 1 9' },
      '6 1000 10000 3 1 broker-0 1 9',
      `%RETRY%${GROUP}_${TOPIC}`,
    ],
  ])(
    'does not take the mark of another delivery, which was sent with the message, for that of %s',
    async (_, fields, extraInfo, topic) => {
      let polls = 0;
      const forged = new Map([
        ['UNIQ_KEY', 'THE-ID'],
        ['POP_CK', '0 7 60000 0 0 elsewhere 1 9'],
      ]);
      const { consumer, sent } = await consumerOn(
        broker(({ code }) =>
          code === CODES.popMessage && polls++ === 0 ? popped(fields, undefined, forged) : 'usual',
        ),
      );
      await consumer.start();
      const [message] = await consumer.receive();
      if (message !== undefined) await consumer.ack(message);
      expect(sent(CODES.ackMessage).map((ack) => ack.fields)).toMatchObject([{ extraInfo, topic, offset: '9' }]);
    },
  );

  it('marks a message whose bytes are not those that were stored', async () => {
    const { consumer } = await consumerOn(
      broker(({ code }) => (code === CODES.popMessage ? popped({}, Buffer.from('y')) : 'usual')),
    );
    await consumer.start();
    const [message] = await consumer.receive();
    expect(message?.bodyProblem).toBeDefined();
  });

  it('acknowledges messages that share only the hash of a tag, and hands out none', async () => {
    const { connection, sent } = await connected([
      broker(({ code }) => (code === CODES.popMessage ? popped() : 'usual')),
    ]);
    const subscriptions = [{ topic: TOPIC, filter: { kind: 'tag', expression: 'Aa' } as const }];
    const consumer = new SimpleConsumer(connection, { consumerGroup: GROUP, subscriptions });
    closers.push(() => consumer.close());
    await consumer.start();
    expect(await consumer.receive({ longPollingTimeoutMs: 5_000 })).toEqual([]);
    await soon(() => sent(CODES.ackMessage).length > 0);
    expect(sent(CODES.ackMessage)[0]?.fields).toMatchObject({ topic: TOPIC, offset: '9' });
  });

  it('acknowledges one by one where the broker takes no batch, and warns of nothing', async () => {
    const bodies = Array.from(
      { length: 12 },
      (_, index) => popped({}, undefined, new Map([['UNIQ_KEY', `ID-${index}`]])).body,
    );
    const { consumer, sent } = await consumerOn(
      broker(({ code }) => {
        if (code === CODES.getSubscriptionGroupConfig) return { version: RELEASES.v500, body: '{"retryMaxTimes":16}' };
        return code === CODES.popMessage
          ? { ...popped(), version: RELEASES.v500, body: Buffer.concat(bodies) }
          : { version: RELEASES.v500, ...(code === CODES.getTopicConfig ? UNTYPED : {}) };
      }),
    );
    await consumer.start();
    const messages = await consumer.receive({ longPollingTimeoutMs: 5_000 });
    const outcomes = await consumer.ackBatch(messages);
    expect(outcomes.map(({ status }) => status)).toEqual(bodies.map(() => 'acked'));
    expect([sent(CODES.ackMessage).length, sent(CODES.batchAckMessage).length]).toEqual([12, 0]);
  });

  it('reports each acknowledgement of a batch by itself when a broker stops meanwhile', async () => {
    let polls = 0;
    const { consumer, sent } = await consumerOn(
      broker(({ code }) => {
        if (code === CODES.getSubscriptionGroupConfig) return { version: RELEASES.v500, body: '{"retryMaxTimes":16}' };
        if (code === CODES.ackMessage && sent(CODES.ackMessage).length > 1)
          return { version: RELEASES.v500, code: RESPONSE_CODES.serviceNotAvailable, remark: 'stopping' };
        if (code !== CODES.popMessage || polls++ > 0) return { version: RELEASES.v500 };
        const other = popped({}, undefined, new Map([['UNIQ_KEY', 'ANOTHER-ID']]));
        return { version: RELEASES.v500, ...popped(), body: Buffer.concat([popped().body, other.body]) };
      }),
    );
    await consumer.start();
    const outcomes = await consumer.ackBatch(await consumer.receive());
    expect(outcomes).toMatchObject([
      { status: 'acked' },
      { status: 'failed', error: { outcome: 'rejected', retryable: true } },
    ]);
  });

  it('says that a broker of 5.0 cannot postpone an ordered message, which it would do nothing about', async () => {
    const { consumer, sent } = await consumerOn(
      broker(({ code }) => {
        if (code === CODES.popMessage) return { ...popped({ reviveQid: '999' }), version: RELEASES.v500 };
        const isGroup = code === CODES.getSubscriptionGroupConfig;
        return {
          version: RELEASES.v500,
          body: isGroup ? '{"retryMaxTimes":16,"consumeMessageOrderly":true}' : UNTYPED.body,
        };
      }),
    );
    await consumer.start();
    const [message] = await consumer.receive({ longPollingTimeoutMs: 5_000 });
    if (message === undefined) throw new Error('nothing came');
    const change = consumer.changeInvisibleDuration(message, 20_000);
    await expect(change).rejects.toMatchObject({ code: 'UNSUPPORTED', outcome: 'rejected' });
    await expect(change).rejects.toThrow(
      'runs RocketMQ 5.0.0; to renew or postpone an ordered message needs RocketMQ 5.1.0',
    );
    expect(sent(CODES.changeMessageInvisibleTime)).toEqual([]);
    await consumer.ack(message);
    expect(sent(CODES.ackMessage)).toHaveLength(1);
  });

  it('copies a message with too many attempts to the dead letters, then acknowledges it', async () => {
    let polls = 0;
    const { consumer, sent } = await consumerOn(
      broker(({ code }) => {
        if (code === CODES.getSubscriptionGroupConfig)
          return { body: '{"retryMaxTimes":0,"consumeMessageOrderly":true}' };
        if (code !== CODES.popMessage || polls++ > 0) return 'usual';
        return popped({ orderCountInfo: '0 qo1%9 1' });
      }),
    );
    await consumer.start();
    expect(await consumer.receive({ longPollingTimeoutMs: 5_000 })).toEqual([]);
    await until(() => sent(CODES.ackMessage).length > 0);
    expect(sent(CODES.consumerSendMessageBack).map(({ fields }) => fields)).toMatchObject([
      { offset: '55', group: GROUP, delayLevel: '-1', originTopic: TOPIC },
    ]);
    expect(sent(CODES.ackMessage)).toHaveLength(1);
  });

  it('copies no dead letter whose delivery has ended before its turn: the next delivery is copied', async () => {
    let polls = 0;
    const { consumer, sent } = await consumerOn(
      broker(({ code, opaque }, socket) => {
        if (code === CODES.getSubscriptionGroupConfig)
          return { body: '{"retryMaxTimes":0,"consumeMessageOrderly":true}' };
        if (code === CODES.popMessage && polls++ === 0) {
          const { fields, body } = popped({ orderCountInfo: '0 1 1', invisibleTime: '100' });
          return { fields, body: Buffer.concat([body, body]) };
        }
        if (code !== CODES.consumerSendMessageBack) return 'usual';
        setTimeout(() => socket?.write(encodeAnswer(opaque, { version: RELEASES.v550 })), 150);
        return undefined;
      }),
    );
    await consumer.start();
    await consumer.receive({ longPollingTimeoutMs: 5_000 });
    await until(() => sent(CODES.ackMessage).length > 0);
    await consumer.receive({ longPollingTimeoutMs: 5_000 });
    expect(sent(CODES.consumerSendMessageBack)).toHaveLength(1);
  });

  it('is closed once a dead letter is copied and acknowledged', async () => {
    const acked: unknown[] = [];
    const { connection, sent } = await connected([
      broker(({ code, opaque }, socket) => {
        if (code === CODES.getSubscriptionGroupConfig)
          return { body: '{"retryMaxTimes":0,"consumeMessageOrderly":true}' };
        if (code === CODES.popMessage && sent(CODES.popMessage).length === 1)
          return popped({ orderCountInfo: '0 qo1%9 1' });
        if (code !== CODES.consumerSendMessageBack) return 'usual';
        void consumer.close().then(() => acked.push(...sent(CODES.ackMessage)));
        setTimeout(() => socket?.write(encodeAnswer(opaque, { version: RELEASES.v550 })), 50);
        return undefined;
      }),
    ]);
    const consumer = new SimpleConsumer(connection, { consumerGroup: GROUP, subscriptions: [{ topic: TOPIC }] });
    closers.push(() => consumer.close());
    await consumer.start();
    await consumer.receive({ longPollingTimeoutMs: 5_000 }).catch(() => {});
    await until(() => acked.length > 0);
    expect(sent(CODES.consumerSendMessageBack)).toHaveLength(1);
  });
});
