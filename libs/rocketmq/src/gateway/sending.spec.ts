import { describe, expect, it, jest } from '@jest/globals';
import {
  broker,
  gatewayWorld,
  popped,
  RELEASES,
  STORED,
  TOPIC,
  UNTYPED,
  usual,
} from '../../../../test/fixtures/gateway-world.js';
import type { BrokerScript } from '../../../../test/fixtures/scripted-cluster.js';
import { soon, until } from '../../../../tools/until.js';
import { Connection } from '../client/connection.js';
import { addressText } from '../client/endpoint.js';
import { Producer } from '../producer/producer.js';
import { queueOfMessageGroup } from '../protocol/model/queue-hash.js';
import { REQUEST_CODES as CODES, RESPONSE_CODES } from '../protocol/remoting/codes.js';
import { encodeFrame } from '../protocol/remoting/frame.js';
import { decodeProperties } from '../protocol/remoting/stored-message.js';

describe('sending through the gateway', () => {
  const { cluster, closers, connected, producerOn } = gatewayWorld();

  it('sends a message group to the queue that a proxy chooses, over all brokers', async () => {
    const { producer, brokers } = await producerOn([usual, usual]);
    await producer.send({ topic: TOPIC, body: 'x', messageGroup: 'order-12345' });
    const index = queueOfMessageGroup('order-12345', 8);
    const sends = brokers.map(({ requests }) => requests.filter(({ code }) => code === CODES.sendMessageV2));
    expect(sends.map((list) => list.map(({ fields }) => fields.e))).toEqual(
      index < 4 ? [[String(index)], []] : [[], [String(index - 4)]],
    );
  });

  it('names no topic from which a broker would create the one that is sent to, and leaves no name empty', async () => {
    const { producer, sent } = await producerOn([usual]);
    await producer.send({ topic: TOPIC, body: 'x' });
    await producer.sendBatch(['a', 'b'].map((body) => ({ topic: TOPIC, body })));
    const headers = [...sent(CODES.sendMessageV2), ...sent(CODES.sendBatchMessage)].map(({ fields }) => fields);
    expect(headers.map(({ b, c }) => [b, c])).toEqual([
      [TOPIC, TOPIC],
      [TOPIC, TOPIC],
    ]);
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
    const script = broker(({ code }, socket) => {
      if (code === CODES.sendMessageV2 && sent(CODES.sendMessageV2).length === 2) silent.add(socket);
      return silent.has(socket) ? undefined : 'usual';
    });
    const { producer, sent } = await producerOn([script], {}, 1_000);
    await producer.send({ topic: TOPIC, body: 'first' });
    await expect(producer.send({ topic: TOPIC, body: 'second' }, { timeoutMs: 20_000 })).resolves.toMatchObject({
      offset: 7,
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

  it.each([
    ['flushDiskTimeout', 'not-flushed'],
    ['flushSlaveTimeout', 'not-replicated'],
    ['slaveNotAvailable', 'no-replica'],
  ] as const)('takes %s for stored: sends once, with the place, and ends the transaction', async (code, durability) => {
    const { producer, sent } = await producerOn(
      [
        broker(({ code: asked }) =>
          asked === CODES.sendMessageV2 || asked === CODES.sendBatchMessage
            ? { ...STORED, code: RESPONSE_CODES[code] }
            : 'usual',
        ),
      ],
      { transactionCheckers: { [TOPIC]: () => 'commit' } },
    );
    expect(await producer.send({ topic: TOPIC, body: 'x' })).toMatchObject({ offset: 7, durability });
    const batch = await producer.sendBatch(['a', 'b'].map((body) => ({ topic: TOPIC, body })));
    expect(batch.map((one) => one.status === 'sent' && one.receipt.durability)).toEqual([durability, durability]);
    await producer.transact({ message: { topic: TOPIC, body: 'x', messageId: 'HALF' } }, async () => {});
    expect(sent(CODES.endTransaction).map(({ fields }) => fields.commitLogOffset)).toEqual(['42']);
    const stores = [...sent(CODES.sendMessageV2), ...sent(CODES.sendBatchMessage)];
    expect(stores.length).toBeLessThanOrEqual(4);
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
    await soon(() => sent(CODES.endTransaction).length > 0);
    expect(sent(CODES.endTransaction).map(({ fields }) => fields)).toMatchObject([
      { tranStateTableOffset: '11', commitLogOffset: '77', commitOrRollback: '12', fromTransactionCheck: 'true' },
    ]);
  });

  it('delays a message by the level of a broker that has no timers', async () => {
    const { producer, sent } = await producerOn([() => ({ version: RELEASES.v497, body: '{}', ...STORED })]);
    await producer.send({ topic: TOPIC, body: 'x', delayMs: 30_000 });
    await producer.send({ topic: TOPIC, body: 'x', deliverAt: new Date(0) });
    const [delayed, due] = sent(CODES.sendMessageV2).map(({ fields }) => decodeProperties(fields.i ?? ''));
    expect([delayed?.get('DELAY'), delayed?.has('TIMER_DELIVER_MS'), due?.has('DELAY')]).toEqual(['4', false, false]);
  });

  it('says that nothing was sent where a broker has the queue no longer', async () => {
    const remark = 'request queueId[3] is illegal, TopicConfig [topicName=orders] Producer: 127.0.0.1:1';
    const { producer } = await producerOn([
      broker(({ code }) => (code === CODES.sendMessageV2 ? { code: RESPONSE_CODES.systemError, remark } : 'usual')),
    ]);
    const sending = producer.send({ topic: TOPIC, body: 'x' }, { timeoutMs: 3_000 });
    await expect(sending).rejects.toMatchObject({ outcome: 'not-sent', retryable: true });
  });

  it('goes by the levels that a broker has by its configuration', async () => {
    const { producer, sent } = await producerOn([
      ({ code }) => ({
        version: RELEASES.v497,
        ...STORED,
        body: code === CODES.getBrokerConfig ? 'brokerName=broker-0\nmessageDelayLevel=90s 1d 2m\n' : '{}',
      }),
    ]);
    await producer.send({ topic: TOPIC, body: 'x', delayMs: 120_000 });
    await expect(producer.send({ topic: TOPIC, body: 'x', delayMs: 30_000 })).rejects.toThrow('90s 24h 2m; 30000 ms');
    const levels = sent(CODES.sendMessageV2).map(({ fields }) => decodeProperties(fields.i ?? '').get('DELAY'));
    expect([levels, sent(CODES.getBrokerConfig).length]).toEqual([['3'], 1]);
  });

  it('sends no message with a delay that is no level of a broker that would deliver it at once', async () => {
    const { producer, sent } = await producerOn([() => ({ version: RELEASES.v497, body: '{}', ...STORED })]);
    const sending = producer.send({ topic: TOPIC, body: 'x', delayMs: 1_500 });
    await expect(sending).rejects.toMatchObject({ code: 'UNSUPPORTED', outcome: 'rejected' });
    await expect(sending).rejects.toThrow(
      '1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h; 1500 ms is none',
    );
    expect(sent(CODES.sendMessageV2)).toEqual([]);
  });

  it('rounds a delay up to the next level where the producer says so, and no further', async () => {
    const script: BrokerScript = () => ({ version: RELEASES.v497, body: '{}', ...STORED });
    const { producer, sent } = await producerOn([script], { delayLevels: 'round-up' });
    await producer.send({ topic: TOPIC, body: 'x', delayMs: 5_000 });
    await producer.send({ topic: TOPIC, body: 'x', delayMs: 5_001 });
    const tooLong = producer.send({ topic: TOPIC, body: 'x', delayMs: 7_200_001 });
    await expect(tooLong).rejects.toMatchObject({ code: 'UNSUPPORTED', outcome: 'rejected' });
    await expect(tooLong).rejects.toThrow('7200001 ms is longer than all of them');
    const levels = sent(CODES.sendMessageV2).map(({ fields }) => decodeProperties(fields.i ?? '').get('DELAY'));
    expect(levels).toEqual(['2', '3']);
  });

  it('lets a message wait for a delay of several levels in the topic of the relay', async () => {
    const script: BrokerScript = () => ({ version: RELEASES.v497, body: '{}', ...STORED });
    const delayLevels = { topic: 'delays', consumerGroup: 'delays' };
    const { producer, sent } = await producerOn([script], { delayLevels });
    const deliverAt = new Date(Date.now() + 45 * 60_000);
    const message = { topic: TOPIC, body: 'x', messageId: 'THE-ID', tag: 'paid', properties: { region: 'eu' } };
    expect(await producer.send({ ...message, deliverAt })).toMatchObject({ topic: TOPIC, messageId: 'THE-ID' });
    await producer.send({ ...message, delayMs: 30_000 });
    const stores = sent(CODES.sendMessageV2).map(({ fields }) => ({
      topic: fields.a,
      properties: Object.fromEntries(decodeProperties(fields.i ?? '')),
    }));
    const due = { 'rocketmq-delayed-topic': TOPIC, 'rocketmq-delayed-until': String(deliverAt.getTime()) };
    const as = { UNIQ_KEY: 'THE-ID', TAGS: 'paid', region: 'eu' };
    expect(stores).toMatchObject([
      { topic: 'delays', properties: { ...as, ...due, DELAY: '16' } },
      { topic: TOPIC, properties: { ...as, DELAY: '4' } },
    ]);
    expect(stores.map(({ properties }) => 'TIMER_DELIVER_MS' in properties)).toEqual([false, false]);
  });

  it('counts a delay of several levels from the call, also when the first attempt takes its time', async () => {
    let stores = 0;
    const script: BrokerScript = ({ code }) =>
      code === CODES.sendMessageV2 && stores++ === 0 ? undefined : { version: RELEASES.v497, body: '{}', ...STORED };
    const delayLevels = { topic: 'delays', consumerGroup: 'delays' };
    const { producer, sent } = await producerOn([script], { delayLevels }, 1_000);
    await producer.send({ topic: TOPIC, body: 'x', delayMs: 45_000 });
    const dueAt = sent(CODES.sendMessageV2).map(({ fields }) => {
      return decodeProperties(fields.i ?? '').get('rocketmq-delayed-until');
    });
    expect(dueAt).toEqual([expect.stringMatching(/^\d+$/), dueAt[0]]);
  });

  it('says which topic is missing for a delay of several levels, and has sent nothing', async () => {
    const script: BrokerScript = () => ({ version: RELEASES.v497, body: '{}', ...STORED });
    const { producer, sent, forget } = await producerOn([script], { delayLevels: 'chain' });
    await producer.send({ topic: TOPIC, body: 'x' });
    forget();
    const sending = producer.send({ topic: TOPIC, body: 'x', delayMs: 45_000 });
    await expect(sending).rejects.toMatchObject({ code: 'TOPIC_NOT_FOUND', outcome: 'rejected' });
    await expect(sending).rejects.toThrow('topic "nestjs-rocketmq-delays", in which messages wait');
    expect(sent(CODES.sendMessageV2)).toHaveLength(1);
  });

  it('delays to the millisecond at brokers that can, whatever is said about levels', async () => {
    const { producer, sent } = await producerOn([usual], { delayLevels: 'round-up' });
    const deliverAt = new Date(Date.now() + 61_234);
    await producer.send({ topic: TOPIC, body: 'x', deliverAt });
    const [delayed] = sent(CODES.sendMessageV2).map(({ fields }) => decodeProperties(fields.i ?? ''));
    expect(delayed?.get('TIMER_DELIVER_MS')).toBe(String(deliverAt.getTime()));
  });

  it.each([
    ['compresses a half message', RELEASES.v497, '5'],
    ['does not compress one for a broker that would spoil it when it checks it', RELEASES.v497 - 1, '4'],
  ])('%s', async (_, version, flags) => {
    const script: BrokerScript = () => ({ version, body: '{}', ...STORED });
    const options = { transactionCheckers: { [TOPIC]: () => 'commit' as const }, compression: { thresholdBytes: 1 } };
    const { producer, sent } = await producerOn([script], options);
    const body = 'x'.repeat(5_000);
    await producer.transact({ message: { topic: TOPIC, body } }, async () => {});
    const [half] = sent(CODES.sendMessageV2);
    expect([half?.fields.f, half?.body === body]).toEqual([flags, flags === '4']);
  });

  it('begins no transaction on a broker that would never check it', async () => {
    const of410 = broker(() => ({ version: RELEASES.v410, body: '{}', ...STORED }));
    const { producer, sent } = await producerOn([of410], { transactionCheckers: { [TOPIC]: () => 'commit' } });
    const work = jest.fn(async () => {});
    const transaction = producer.transact({ message: { topic: TOPIC, body: 'x' } }, work);
    await expect(transaction).rejects.toMatchObject({ code: 'UNSUPPORTED', outcome: 'rejected' });
    await expect(transaction).rejects.toThrow(
      'runs RocketMQ 4.1.0; a transaction whose producer is checked needs RocketMQ 4.3.0',
    );
    expect(sent(CODES.sendMessageV2)).toEqual([]);
    expect(work).not.toHaveBeenCalled();
  });

  it('sends no message with a priority to a broker that would ignore it', async () => {
    const of533 = broker(({ code }) => ({
      version: RELEASES.v533,
      ...(code === CODES.getTopicConfig ? UNTYPED : STORED),
    }));
    const { producer, sent } = await producerOn([of533]);
    const sending = producer.send({ topic: TOPIC, body: 'x', priority: 3 });
    await expect(sending).rejects.toMatchObject({ code: 'UNSUPPORTED', outcome: 'rejected' });
    await expect(sending).rejects.toThrow(
      'runs RocketMQ 5.3.3; a message with a priority needs RocketMQ 5.4.0 or later',
    );
    expect(sent(CODES.sendMessageV2)).toEqual([]);
  });

  it.each([
    ['takes', { body: 'brokerName=broker-0\r\nmaxMessageSize=8388608\r\n' }, undefined],
    ['does not take', { body: 'maxMessageSize=5000000\n' }, 'is 5000000 by its maxMessageSize'],
    ['need not take, as it does not say it,', { code: 16, remark: 'no permission' }, 'is 4194304 by default'],
  ])('sends a body of more than 4 MiB to a broker that takes so much: one that %s it', async (_, config, problem) => {
    const { producer, sent } = await producerOn([
      (request) => (request.code === CODES.getBrokerConfig ? config : usual(request)),
    ]);
    await producer.start();
    const sending = producer.send({ topic: TOPIC, body: Buffer.alloc(6_000_000) });
    const failed = {
      code: 'MESSAGE_BODY_TOO_LARGE',
      outcome: 'rejected',
      message: expect.stringContaining(problem ?? ''),
    };
    await (problem === undefined ? sending : expect(sending).rejects.toMatchObject(failed));
    expect(sent(CODES.sendMessageV2)).toHaveLength(problem === undefined ? 1 : 0);
    await producer.send({ topic: TOPIC, body: 'small' });
    expect(sent(CODES.getBrokerConfig)).toHaveLength(1);
    const most = producer.send({ topic: TOPIC, body: Buffer.alloc(16 * 1024 * 1024) });
    await expect(most).rejects.toMatchObject({ code: 'MESSAGE_BODY_TOO_LARGE', outcome: 'not-sent', field: 'body' });
  });

  it('says which release recalls messages where the broker does not', async () => {
    const of514 = broker(({ code }) => ({
      version: RELEASES.v514,
      ...(code === CODES.getTopicConfig ? UNTYPED : STORED),
    }));
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
    const of514 = broker(({ code }) => ({
      version: RELEASES.v514,
      ...(code === CODES.getTopicConfig ? UNTYPED : STORED),
    }));
    const { producer, brokers } = await producerOn([of514, usual]);
    for (let index = 0; index < 8; index++) await producer.send({ topic: TOPIC, body: 'x', priority: 1 });
    const stored = brokers.map(({ requests }) => requests.filter(({ code }) => code === CODES.sendMessageV2).length);
    expect(stored).toEqual([0, 8]);
  });

  it('sends a message group by the route that it knows when no name server can be reached', async () => {
    const { nameServer, brokers } = await cluster.start([usual]);
    const connection = new Connection({ endpoints: `name-server:${nameServer.address}`, requestTimeoutMs: 5_000 });
    closers.push(() => connection.close());
    const producer = new Producer(connection, {});
    closers.push(() => producer.close());
    await producer.send({ topic: TOPIC, body: 'x', messageGroup: 'g' });
    await nameServer.close();
    await producer.send({ topic: TOPIC, body: 'y', messageGroup: 'g' });
    expect(brokers[0]?.requests.filter(({ code }) => code === CODES.sendMessageV2)).toHaveLength(2);
  });

  it.each([
    ['', {}],
    [', with a declared layout', { topicLayouts: { [TOPIC]: 'broker-0:4' } }],
  ])(
    'sends a message group by the route that it knows when the name server has restarted and knows none yet%s',
    async (_, options) => {
      let sends = 0;
      const { nameServer, brokers, forget } = await cluster.start([
        broker(({ code }) => {
          if (code !== CODES.sendMessageV2 || ++sends !== 2) return 'usual';
          return { code: RESPONSE_CODES.serviceNotAvailable, remark: 'stopping' };
        }),
      ]);
      const connection = new Connection({
        endpoints: `name-server:${nameServer.address}`,
        requestTimeoutMs: 5_000,
        ...options,
      });
      closers.push(() => connection.close());
      const producer = new Producer(connection, {});
      closers.push(() => producer.close());
      await producer.send({ topic: TOPIC, body: 'x', messageGroup: 'g' });
      forget();
      const asked = nameServer.requests.length;
      await producer.send({ topic: TOPIC, body: 'y', messageGroup: 'g' });
      await until(() => nameServer.requests.length > asked);
      // Whatever its answer changes has changed.
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      await producer.send({ topic: TOPIC, body: 'z', messageGroup: 'g' }, { timeoutMs: 10_000 });
      expect(brokers[0]?.requests.filter(({ code }) => code === CODES.sendMessageV2)).toHaveLength(4);
    },
  );

  it('ends a transaction that a busy broker rejected at first', async () => {
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

  it('ends a transaction on the broker that stores its half message, wherever it is now', async () => {
    const { nameServer, brokers, move } = await cluster.start([usual]);
    const { brokers: elsewhere } = await cluster.start([usual]);
    const connection = new Connection({ endpoints: `name-server:${nameServer.address}`, requestTimeoutMs: 5_000 });
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

  it('keeps its credentials when only the type of a topic is rejected', async () => {
    const rejected = {
      code: RESPONSE_CODES.noPermission,
      remark: 'User:shop has no permission to access Topic:orders',
    };
    const { nameServer } = await cluster.start([
      broker(({ code }) => (code === CODES.getTopicConfig ? rejected : 'usual')),
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

  it.each([
    ['namespace', { namespace: 'n' }],
    ['transport', { transport: 'http2' as const }],
    ['useBootstrapEndpoints', { useBootstrapEndpoints: true }],
  ])('rejects option %s, which means nothing without a proxy', (field, options) => {
    expect(() => new Connection({ endpoints: 'name-server:127.0.0.1:9876', ...options })).toThrow(
      expect.objectContaining({ code: 'ILLEGAL_OPTION', field }),
    );
  });
});
