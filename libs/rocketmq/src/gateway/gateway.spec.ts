import { crc32 } from 'node:zlib';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type BrokerScript, ScriptedCluster } from '../../../../test/support/scripted-cluster.js';
import { encodeAnswer } from '../../../../test/support/scripted-remoting-server.js';
import { until } from '../../../../test/support/until.js';
import { Connection } from '../client/connection.js';
import { addressText } from '../client/endpoint.js';
import { SimpleConsumer } from '../consumer/simple/simple-consumer.js';
import { Producer, type ProducerOptions } from '../producer/producer.js';
import { queueOfMessageGroup } from '../protocol/model/queue-hash.js';
import { REQUEST_CODES as CODES, RESPONSE_CODES } from '../protocol/remoting/codes.js';
import { encodeFrame } from '../protocol/remoting/frame.js';
import { decodeProperties, encodeStoredMessage } from '../protocol/remoting/stored-message.js';
import { realTimeIn } from '../support/deadline.js';

const V550 = 513;
const V533 = 479;
const V514 = 441;
const V500 = 413;
const V497 = 407;
const TOPIC = 'orders';
const GROUP = 'shop';
const STORED = { fields: { msgId: `${'0'.repeat(16)}000000000000002A`, queueId: '0', queueOffset: '7' } };
const UNTYPED = { body: '{"attributes":{}}' };
const EMPTY = { code: RESPONSE_CODES.pollingTimeout };
const TOO_OLD = { ...EMPTY, remark: 'the broker[127.0.0.1] pop message is timeout too much' };

/** What a broker of 5.5.0 answers, unless the script says otherwise. */
const broker =
  (script: (...about: Parameters<BrokerScript>) => ReturnType<BrokerScript> | 'usual'): BrokerScript =>
  (request, socket) => {
    const own = script(request, socket);
    if (own !== 'usual') return own === undefined ? undefined : { version: V550, ...own };
    const { code } = request;
    if (code === CODES.getTopicConfig) return { version: V550, ...UNTYPED };
    if (code === CODES.getSubscriptionGroupConfig) return { version: V550, body: '{"retryMaxTimes":16}' };
    if (code === CODES.sendMessageV2 || code === CODES.sendBatchMessage) return { version: V550, ...STORED };
    return { version: V550, ...(code === CODES.popMessage ? EMPTY : {}) };
  };
const usual = broker(() => 'usual');

describe('the gateway', () => {
  const cluster = new ScriptedCluster();
  const closers: (() => Promise<unknown> | unknown)[] = [];

  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
    await cluster.close();
  });

  async function connected(scripts: readonly BrokerScript[], requestTimeoutMs = 1_000) {
    const { nameServer, brokers } = await cluster.start(scripts);
    const connection = new Connection({ endpoints: `name-server:${nameServer.address}`, requestTimeoutMs });
    closers.push(() => connection.close());
    const sent = (code: number) => brokers.flatMap(({ requests }) => requests.filter((one) => one.code === code));
    return { connection, brokers, sent };
  }

  async function producerOn(scripts: readonly BrokerScript[], options: ProducerOptions = {}) {
    const { connection, ...rest } = await connected(scripts);
    const producer = new Producer(connection, options);
    closers.push(() => producer.close());
    return { producer, ...rest };
  }

  async function consumerOn(script: BrokerScript) {
    const { connection, ...rest } = await connected([script]);
    const consumer = new SimpleConsumer(connection, { consumerGroup: GROUP, subscriptions: [{ topic: TOPIC }] });
    closers.push(() => consumer.close());
    return { consumer, ...rest };
  }

  /** An answer to a poll with one message. */
  function popped(
    fields: Record<string, string> = {},
    body = Buffer.from('x'),
    properties = new Map([['UNIQ_KEY', 'THE-ID']]),
  ) {
    const times = { bornTimestampMs: 1, bornHost: '127.0.0.1:1', storeTimestampMs: 2, storeHost: '127.0.0.1:2' };
    const place = { topic: TOPIC, queueId: 1, queueOffset: 9n, commitLogOffset: 55n, preparedTransactionOffset: 0n };
    const marks = { sysFlag: 0, flag: 0, bodyCrc: crc32(Buffer.from('x')) & 0x7f_ff_ff_ff, reconsumeTimes: 0 };
    const stored = encodeStoredMessage({ ...place, ...times, ...marks, properties, body });
    const about = { popTime: '1000', invisibleTime: '10000', reviveQid: '3', startOffsetInfo: '0 1 8', ...fields };
    return { fields: about, body: stored };
  }

  it('sends a message group to the queue that a proxy chooses, over all brokers', async () => {
    const { producer, brokers } = await producerOn([usual, usual]);
    await producer.send({ topic: TOPIC, body: 'x', messageGroup: 'order-12345' });
    const index = queueOfMessageGroup('order-12345', 8);
    const sends = brokers.map(({ requests }) => requests.filter(({ code }) => code === CODES.sendMessageV2));
    expect(sends.map((list) => list.map(({ fields }) => fields.e))).toEqual(
      index < 4 ? [[String(index)], []] : [[], [String(index - 4)]],
    );
  });

  it('compresses bodies so that clients of the remoting protocol read them', async () => {
    const { producer, sent } = await producerOn([usual], { compression: { thresholdBytes: 1 } });
    const body = Buffer.alloc(5_000, 'x');
    await producer.send({ topic: TOPIC, body });
    const [send] = sent(CODES.sendMessageV2);
    expect(send?.fields.f).toBe('1');
    // The mark of zlib; gzip begins with 0x1f.
    expect(send?.body.charCodeAt(0)).toBe(0x78);
  });

  it('writes a batch whose header has no properties, so that every release keeps the messages apart', async () => {
    const { producer, sent } = await producerOn([usual]);
    await producer.sendBatch(['a', 'b', 'c'].map((body) => ({ topic: TOPIC, body, tag: body })));
    const [batch] = sent(CODES.sendBatchMessage);
    expect(batch?.fields).toMatchObject({ b: TOPIC, i: '', m: 'true' });
    expect(['TAGS\u0001a', 'TAGS\u0001b', 'TAGS\u0001c'].every((tag) => batch?.body.includes(tag))).toBe(true);
  });

  it('sends to another broker when one is stopping', async () => {
    const stopping = broker(({ code }) =>
      code === CODES.sendMessageV2 ? { code: RESPONSE_CODES.serviceNotAvailable, remark: 'stopping' } : 'usual',
    );
    const { producer, brokers } = await producerOn([stopping, usual]);
    for (let index = 0; index < 4; index++) await producer.send({ topic: TOPIC, body: 'x' });
    expect(brokers[1]?.requests.filter(({ code }) => code === CODES.sendMessageV2)).toHaveLength(4);
  });

  it('replaces a connection that has gone silent, and sends again', async () => {
    const silent = new Set<unknown>();
    const { producer, sent } = await producerOn([
      broker(({ code }, socket) => {
        if (code === CODES.sendMessageV2 && sent(CODES.sendMessageV2).length === 2) silent.add(socket);
        return silent.has(socket) ? undefined : 'usual';
      }),
    ]);
    await producer.send({ topic: TOPIC, body: 'first' });
    await expect(producer.send({ topic: TOPIC, body: 'second' }, { timeoutMs: 5_000 })).resolves.toMatchObject({
      offset: 7n,
    });
    expect(sent(CODES.sendMessageV2).length).toBeGreaterThan(2);
  });

  it('says that the outcome of a send is unknown when the broker breaks off', async () => {
    const { producer } = await producerOn(
      [
        broker(({ code }) =>
          code === CODES.sendMessageV2 ? { code: RESPONSE_CODES.systemError, remark: 'a fault' } : 'usual',
        ),
      ],
      { maxAttempts: 1 },
    );
    await expect(producer.send({ topic: TOPIC, body: 'x' })).rejects.toMatchObject({
      code: 'INTERNAL_SERVER_ERROR',
      outcome: 'unknown',
    });
  });

  it('ends a transaction where its half message is, once', async () => {
    const { producer, sent } = await producerOn([usual], { transactionCheckers: { [TOPIC]: () => 'commit' } });
    await producer.transact({ message: { topic: TOPIC, body: 'x', messageId: 'HALF' } }, async () => {});
    const [half] = sent(CODES.sendMessageV2);
    expect(half?.fields).toMatchObject({ a: TOPIC, f: '4' });
    expect(Object.fromEntries(decodeProperties(half?.fields.i ?? ''))).toMatchObject({
      TRAN_MSG: 'true',
      PGROUP: TOPIC,
    });
    expect(sent(CODES.endTransaction).map(({ fields }) => fields)).toEqual([
      {
        topic: TOPIC,
        producerGroup: TOPIC,
        tranStateTableOffset: '7',
        commitLogOffset: '42',
        commitOrRollback: '8',
        fromTransactionCheck: 'false',
        msgId: 'HALF',
        transactionId: 'HALF',
      },
    ]);
  });

  it('answers a check with the place that the check names', async () => {
    let check = (_half: string): void => {};
    const { producer, sent } = await producerOn(
      [
        broker(({ code }, socket) => {
          if (code !== CODES.heartBeat) return 'usual';
          const fields = { tranStateTableOffset: '11', commitLogOffset: '77', msgId: 'OLD', transactionId: 'OLD' };
          const frame = { code: CODES.checkTransactionState, opaque: 1_000, isOneWay: true, fields };
          check = (half) => {
            const { body } = popped({}, Buffer.from('x'), decodeProperties(half));
            socket?.write(encodeFrame({ ...frame, body }));
          };
          return 'usual';
        }),
      ],
      { transactionCheckers: { [TOPIC]: () => 'rollback' } },
    );
    await producer.start();
    await producer.beginTransaction({ topic: TOPIC, body: 'x' });
    check(sent(CODES.sendMessageV2)[0]?.fields.i ?? '');
    while (sent(CODES.endTransaction).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(sent(CODES.endTransaction).map(({ fields }) => fields)).toMatchObject([
      { tranStateTableOffset: '11', commitLogOffset: '77', commitOrRollback: '12', fromTransactionCheck: 'true' },
    ]);
  });

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

  it('releases what a poll brings that nobody waits for', async () => {
    let answer = (): void => {};
    const { consumer, sent } = await consumerOn(
      broker(({ code, opaque }, socket) => {
        if (code !== CODES.popMessage) return 'usual';
        answer = () => void socket?.write(encodeAnswer(opaque, { version: V550, ...popped() }));
        return undefined;
      }),
    );
    await consumer.start();
    const controller = new AbortController();
    const receiving = consumer.receive({ signal: controller.signal });
    while (sent(CODES.popMessage).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort(new Error('given up'));
    await receiving.catch(() => {});
    answer();
    while (sent(CODES.changeMessageInvisibleTime).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(sent(CODES.changeMessageInvisibleTime).map(({ fields }) => fields)).toMatchObject([
      { invisibleTime: '1000', suspend: 'true', offset: '9' },
    ]);
  });

  it('sends no delayed message to a broker that would deliver it at once', async () => {
    const { producer, sent } = await producerOn([() => ({ version: V497, body: '{}', ...STORED })]);
    await expect(producer.send({ topic: TOPIC, body: 'x', delayMs: 1_000 })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      outcome: 'rejected',
    });
    expect(sent(CODES.sendMessageV2)).toEqual([]);
  });

  it('sends no message with a priority to a broker that would ignore it', async () => {
    const of533 = broker(({ code }) => ({ version: V533, ...(code === CODES.getTopicConfig ? UNTYPED : STORED) }));
    const { producer, sent } = await producerOn([of533]);
    const sending = producer.send({ topic: TOPIC, body: 'x', priority: 3 });
    await expect(sending).rejects.toMatchObject({ code: 'UNSUPPORTED', outcome: 'rejected' });
    await expect(sending).rejects.toThrow(
      'runs RocketMQ 5.3.3; a message with a priority needs RocketMQ 5.4.0 or later',
    );
    expect(sent(CODES.sendMessageV2)).toEqual([]);
  });

  it('says which release recalls messages where the broker does not', async () => {
    const of514 = broker(({ code }) => ({ version: V514, ...(code === CODES.getTopicConfig ? UNTYPED : STORED) }));
    const { producer, sent } = await producerOn([of514]);
    const { recallHandle } = await producer.send({ topic: TOPIC, body: 'x', delayMs: 1_000 });
    expect(recallHandle).toBeUndefined();
    const ofAnother = Buffer.from(`v1 ${TOPIC} broker-0 1 ID`).toString('base64url');
    for (const handle of ['', ofAnother]) {
      const recall = producer.recall({ topic: TOPIC, recallHandle: handle });
      await expect(recall).rejects.toMatchObject({ code: 'UNSUPPORTED', outcome: 'rejected' });
      await expect(recall).rejects.toThrow('runs RocketMQ 5.1.4; recalling a message needs RocketMQ 5.3.2 or later');
    }
    expect(sent(CODES.recallMessage)).toEqual([]);
  });

  it('sends to the newer brokers of an upgrade what the older ones cannot do', async () => {
    const of514 = broker(({ code }) => ({ version: V514, ...(code === CODES.getTopicConfig ? UNTYPED : STORED) }));
    const { producer, brokers } = await producerOn([of514, usual]);
    for (let index = 0; index < 8; index++) await producer.send({ topic: TOPIC, body: 'x', priority: 1 });
    const stored = brokers.map(({ requests }) => requests.filter(({ code }) => code === CODES.sendMessageV2).length);
    expect(stored).toEqual([0, 8]);
  });

  it('survives a late answer that cannot be read', async () => {
    let answer = (): void => {};
    const { consumer, sent } = await consumerOn(
      broker(({ code, opaque }, socket) => {
        if (code !== CODES.popMessage) return 'usual';
        answer = () => void socket?.write(encodeAnswer(opaque, { version: V550, body: Buffer.from('no message') }));
        return undefined;
      }),
    );
    await consumer.start();
    const controller = new AbortController();
    const receiving = consumer.receive({ signal: controller.signal });
    while (sent(CODES.popMessage).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort(new Error('given up'));
    await receiving.catch(() => {});
    answer();
    const next = new AbortController();
    const again = consumer.receive({ signal: next.signal });
    while (sent(CODES.popMessage).length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    next.abort(new Error('given up'));
    await again.catch(() => {});
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

  it('sends a message group by the route that it knows when no name server can be reached', async () => {
    const { nameServer, brokers } = await cluster.start([usual]);
    const connection = new Connection({ endpoints: `name-server:${nameServer.address}`, requestTimeoutMs: 1_000 });
    closers.push(() => connection.close());
    const producer = new Producer(connection, {});
    closers.push(() => producer.close());
    await producer.send({ topic: TOPIC, body: 'x', messageGroup: 'g' });
    await nameServer.close();
    await producer.send({ topic: TOPIC, body: 'y', messageGroup: 'g' });
    expect(brokers[0]?.requests.filter(({ code }) => code === CODES.sendMessageV2)).toHaveLength(2);
  });

  it('sends a message group by the route that it knows when the name server has restarted and knows none yet', async () => {
    let sends = 0;
    const { nameServer, brokers, forget } = await cluster.start([
      broker(({ code }) => {
        if (code !== CODES.sendMessageV2 || ++sends !== 2) return 'usual';
        return { code: RESPONSE_CODES.serviceNotAvailable, remark: 'stopping' };
      }),
    ]);
    const connection = new Connection({ endpoints: `name-server:${nameServer.address}`, requestTimeoutMs: 1_000 });
    closers.push(() => connection.close());
    const producer = new Producer(connection, {});
    closers.push(() => producer.close());
    await producer.send({ topic: TOPIC, body: 'x', messageGroup: 'g' });
    forget();
    const asked = nameServer.requests.length;
    await producer.send({ topic: TOPIC, body: 'y', messageGroup: 'g' });
    await until(() => nameServer.requests.length > asked);
    await producer.send({ topic: TOPIC, body: 'z', messageGroup: 'g' });
    expect(brokers[0]?.requests.filter(({ code }) => code === CODES.sendMessageV2)).toHaveLength(4);
  });

  it('ends a transaction that a busy broker refused at first', async () => {
    let ends = 0;
    const { producer, sent } = await producerOn(
      [
        broker(({ code }) =>
          code === CODES.endTransaction && ends++ === 0 ? { code: RESPONSE_CODES.systemBusy, remark: 'busy' } : 'usual',
        ),
      ],
      { transactionCheckers: { [TOPIC]: () => 'commit' } },
    );
    await producer.transact({ message: { topic: TOPIC, body: 'x' } }, async () => {});
    expect(sent(CODES.endTransaction).map(({ fields }) => fields.commitOrRollback)).toEqual(['8', '8']);
  });

  it('learns the type of a topic from the brokers that answer', async () => {
    const silent = broker(({ code }) => (code === CODES.getTopicConfig ? undefined : 'usual'));
    const normal = broker(({ code }) =>
      code === CODES.getTopicConfig ? { body: '{"attributes":{"message.type":"NORMAL"}}' } : 'usual',
    );
    const { producer } = await producerOn([silent, normal]);
    await expect(producer.send({ topic: TOPIC, body: 'x', messageGroup: 'g' })).rejects.toMatchObject({
      code: 'TOPIC_TYPE_MISMATCH',
    });
  });

  it('reports an address that cannot be connected to, and that nothing was sent', async () => {
    const { connection } = await connected([usual, usual]);
    const mapped = new Connection({
      endpoints: `name-server:${connection.bootstrap.addresses.map(addressText).join(';')}`,
      requestTimeoutMs: 1_000,
      addressMapping: (address) => ({ ...address, port: 99_999 }),
    });
    closers.push(() => mapped.close());
    const producer = new Producer(mapped, { maxAttempts: 1 });
    closers.push(() => producer.close());
    await expect(producer.send({ topic: TOPIC, body: 'x' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      outcome: 'not-sent',
    });
  });

  it('refuses to consume from a broker without POP', async () => {
    const { consumer } = await consumerOn(broker(() => ({ version: V497, body: '{}' })));
    await expect(consumer.start()).rejects.toMatchObject({ code: 'VERSION_UNSUPPORTED', outcome: 'rejected' });
  });

  it('identifies a delivery to the broker as the broker did', async () => {
    let polls = 0;
    const { consumer, sent } = await consumerOn(
      broker(({ code }) => (code === CODES.popMessage && polls++ === 0 ? popped() : 'usual')),
    );
    await consumer.start();
    const [message] = await consumer.receive();
    expect(message).toMatchObject({ messageId: 'THE-ID', queueId: 1, queueOffset: 9n, deliveryAttempt: 1 });
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
    const connection = new Connection({ endpoints: `name-server:${nameServer.address}`, requestTimeoutMs: 1_000 });
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

  it('ends a transaction on the broker that stores its half message, wherever it is now', async () => {
    const { nameServer, brokers, move } = await cluster.start([usual]);
    const { brokers: elsewhere } = await cluster.start([usual]);
    const connection = new Connection({ endpoints: `name-server:${nameServer.address}`, requestTimeoutMs: 1_000 });
    closers.push(() => connection.close());
    const producer = new Producer(connection, { transactionCheckers: { [TOPIC]: () => 'commit' } });
    closers.push(() => producer.close());
    const transaction = await producer.beginTransaction({ topic: TOPIC, body: 'x' });
    move(0, elsewhere[0]?.address ?? '');
    await producer.send({ topic: 'another', body: 'x' });
    await expect(transaction.commit()).resolves.toBe('accepted');
    const ends = [...brokers, ...elsewhere].map(({ requests }) =>
      requests.filter(({ code }) => code === CODES.endTransaction),
    );
    expect(ends.map(({ length }) => length)).toEqual([0, 1]);
  });

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
    while (sent(CODES.ackMessage).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(sent(CODES.ackMessage)[0]?.fields).toMatchObject({ topic: TOPIC, offset: '9' });
  });

  it('keeps its credentials when only the type of a topic is refused', async () => {
    const refused = { code: RESPONSE_CODES.noPermission, remark: 'User:shop has no permission to access Topic:orders' };
    const { nameServer } = await cluster.start([
      broker(({ code }) => (code === CODES.getTopicConfig ? refused : 'usual')),
    ]);
    let asked = 0;
    const credentials = () => {
      asked++;
      return { accessKey: 'shop', secretKey: 'secret' };
    };
    const connection = new Connection({ endpoints: `name-server:${nameServer.address}`, credentials });
    closers.push(() => connection.close());
    const producer = new Producer(connection, { topics: { [TOPIC]: 'normal' } });
    closers.push(() => producer.close());
    await producer.send({ topic: TOPIC, body: 'x' });
    expect(asked).toBe(1);
  });

  it('acknowledges one by one where the broker takes no batch, and warns of nothing', async () => {
    const bodies = Array.from(
      { length: 12 },
      (_, index) => popped({}, undefined, new Map([['UNIQ_KEY', `ID-${index}`]])).body,
    );
    const { consumer, sent } = await consumerOn(
      broker(({ code }) => {
        if (code === CODES.getSubscriptionGroupConfig) return { version: V500, body: '{"retryMaxTimes":16}' };
        return code === CODES.popMessage
          ? { ...popped(), version: V500, body: Buffer.concat(bodies) }
          : { version: V500, ...(code === CODES.getTopicConfig ? UNTYPED : {}) };
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
        if (code === CODES.getSubscriptionGroupConfig) return { version: V500, body: '{"retryMaxTimes":16}' };
        if (code === CODES.ackMessage && sent(CODES.ackMessage).length > 1)
          return { version: V500, code: RESPONSE_CODES.serviceNotAvailable, remark: 'stopping' };
        if (code !== CODES.popMessage || polls++ > 0) return { version: V500 };
        const other = popped({}, undefined, new Map([['UNIQ_KEY', 'ANOTHER-ID']]));
        return { version: V500, ...popped(), body: Buffer.concat([popped().body, other.body]) };
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
        if (code === CODES.popMessage) return { ...popped({ reviveQid: '999' }), version: V500 };
        const isGroup = code === CODES.getSubscriptionGroupConfig;
        return { version: V500, body: isGroup ? '{"retryMaxTimes":16,"consumeMessageOrderly":true}' : UNTYPED.body };
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
        setTimeout(() => socket?.write(encodeAnswer(opaque, { version: V550 })), 150);
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
        setTimeout(() => socket?.write(encodeAnswer(opaque, { version: V550 })), 50);
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

  it.each([
    ['namespace', { namespace: 'n' }],
    ['transport', { transport: 'http2' as const }],
    ['useBootstrapEndpoints', { useBootstrapEndpoints: true }],
  ])('refuses option %s, which means nothing without a proxy', (field, options) => {
    expect(() => new Connection({ endpoints: 'name-server:127.0.0.1:9876', ...options })).toThrow(
      expect.objectContaining({ code: 'ILLEGAL_OPTION', field }),
    );
  });
});
