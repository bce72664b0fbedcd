import { crc32 } from 'node:zlib';
import { afterEach, describe, expect, it } from '@jest/globals';
import { ScriptedCluster } from '../../../../test/fixtures/scripted-cluster.js';
import type { ScriptedReply, ScriptedRequest } from '../../../../test/fixtures/scripted-remoting-server.js';
import { until } from '../../../../tools/until.js';
import { Connection } from '../client/connection.js';
import { PushConsumer } from '../consumer/push-consumer.js';
import type { PushConsumerOptions } from '../consumer/push-consumer-options.js';
import { Producer } from '../producer/producer.js';
import { REQUEST_CODES as CODES, RESPONSE_CODES } from '../protocol/remoting/codes.js';
import { decodeProperties, encodeStoredMessage } from '../protocol/remoting/stored-message.js';

const V550 = 513;
const V540 = 501;
const TOPIC = 'chats';
const GROUP = 'readers';
const EMPTY = { code: RESPONSE_CODES.pollingTimeout };
const ATTRIBUTES = { 'lite.bind.topic': TOPIC, 'lite.sub.client.quota': '2' };

type Script = (request: ScriptedRequest) => ScriptedReply | 'usual';

describe('lite topics without a proxy', () => {
  const cluster = new ScriptedCluster();
  const closers: (() => Promise<unknown> | unknown)[] = [];

  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
    await cluster.close();
  });

  async function connected(script: Script = () => 'usual', { version = V550, attributes = ATTRIBUTES as object } = {}) {
    const usual = ({ code }: ScriptedRequest): ScriptedReply => {
      if (code === CODES.getTopicConfig) return { body: '{"attributes":{"message.type":"LITE"}}' };
      if (code === CODES.getSubscriptionGroupConfig) return { body: JSON.stringify({ retryMaxTimes: 0, attributes }) };
      return code === CODES.popLiteMessage ? EMPTY : {};
    };
    const { nameServer, brokers } = await cluster.start([
      (request) => {
        const own = script(request);
        return { version, ...(own === 'usual' ? usual(request) : own) };
      },
    ]);
    const connection = new Connection({ endpoints: `name-server:${nameServer.address}`, requestTimeoutMs: 5_000 });
    closers.push(() => connection.close());
    const sent = (code: number) => brokers.flatMap(({ requests }) => requests.filter((one) => one.code === code));
    return { connection, sent };
  }

  function consumerOn(connection: Connection, options: Partial<PushConsumerOptions> = {}): PushConsumer {
    const consumer = new PushConsumer(connection, {
      consumerGroup: GROUP,
      subscriptions: [{ topic: TOPIC }],
      liteTopics: ['a'],
      deadLetterTo: async () => {},
      handler: () => {},
      ...options,
    });
    closers.push(() => consumer.close({ shutdownGraceMs: 0 }));
    return consumer;
  }

  /** An answer with messages of one lite topic each, stored in another queue and at other offsets than those of the lite topic. */
  function popped(count = 1) {
    const fields = { popTime: '1000', invisibleTime: '10000', reviveQid: '999', orderCountInfo: '4' };
    const messages = Array.from({ length: count }, (_, index) => storedOf(index === 0 ? 'a' : `a${index}`));
    return { fields, body: Buffer.concat(messages) };
  }

  function storedOf(liteTopic: string, given?: Map<string, string>): Buffer {
    const times = { bornTimestampMs: 1, bornHost: '127.0.0.1:1', storeTimestampMs: 2, storeHost: '127.0.0.1:2' };
    const place = { topic: TOPIC, queueId: 3, queueOffset: 900, commitLogOffset: 55, preparedTransactionOffset: 0 };
    const body = Buffer.from('x');
    const marks = { sysFlag: 0, flag: 0, bodyCrc: crc32(body) & 0x7f_ff_ff_ff, reconsumeTimes: 0 };
    const usual = new Map([
      ['UNIQ_KEY', `ID-OF-${liteTopic}`],
      ['__LITE_TOPIC', liteTopic],
      ['INNER_MULTI_DISPATCH', `%LMQ%$chats$${liteTopic}`],
      ['INNER_MULTI_QUEUE_OFFSET', '7'],
    ]);
    return encodeStoredMessage({ ...place, ...times, ...marks, properties: given ?? usual, body });
  }

  const subscriptionsIn = (requests: readonly ScriptedRequest[]) =>
    requests.flatMap(({ body }) => {
      const { subscriptionSet } = JSON.parse(body) as { subscriptionSet: { action: string; liteTopicSet: string[] }[] };
      return subscriptionSet.map(({ action, liteTopicSet }) => `${action} ${liteTopicSet.join()}`);
    });

  it('are subscribed to at the broker, and forgotten there when the consumer leaves', async () => {
    const { connection, sent } = await connected();
    const consumer = consumerOn(connection);
    await consumer.start();
    await consumer.subscribeLite('b');
    await expect(consumer.subscribeLite('c')).rejects.toMatchObject({ code: 'LITE_SUBSCRIPTION_QUOTA_EXCEEDED' });
    await consumer.unsubscribeLite('a');
    await consumer.close({ shutdownGraceMs: 0 });
    const changes = subscriptionsIn(sent(CODES.liteSubscriptionCtl));
    expect(changes).toEqual(['PARTIAL_ADD a', 'PARTIAL_ADD b', 'PARTIAL_REMOVE a', 'COMPLETE_REMOVE ']);
    expect(JSON.parse(sent(CODES.heartBeat)[0]?.body ?? '{}')).toMatchObject({
      consumerDataSet: [{ groupName: GROUP, messageModel: 'LITE_SELECTIVE' }],
    });
  });

  it('hand out messages with their place in the lite topic, which settles them, however often they were delivered', async () => {
    let polls = 0;
    const { connection, sent } = await connected(({ code }) =>
      code === CODES.popLiteMessage && polls++ === 0 ? popped() : 'usual',
    );
    const handled: object[] = [];
    const consumer = consumerOn(connection, { handler: (message) => void handled.push(message) });
    await consumer.start();
    await until(() => sent(CODES.ackMessage).length > 0);
    expect(handled).toMatchObject([
      { liteTopic: 'a', messageType: 'lite', queueOffset: 7, deliveryAttempt: 5, properties: {} },
    ]);
    const extraInfo = '0 1000 10000 999 0 broker-0 0 7';
    expect(sent(CODES.ackMessage).map(({ fields }) => fields)).toEqual([
      { consumerGroup: GROUP, topic: TOPIC, queueId: '0', extraInfo, offset: '7', liteTopic: 'a' },
    ]);
    expect(sent(CODES.popLiteMessage)[0]?.fields).toMatchObject({ clientId: consumer.clientId, topic: TOPIC });
    expect([sent(CODES.popMessage), sent(CODES.consumerSendMessageBack)]).toEqual([[], []]);
  });

  it('hand out what others store in queues that they name themselves, and let no such message block another lite topic', async () => {
    let polls = 0;
    const several = (queues: string) =>
      storedOf(
        'x',
        new Map([
          ['UNIQ_KEY', queues],
          ['INNER_MULTI_DISPATCH', queues],
          ['INNER_MULTI_QUEUE_OFFSET', '7,3'],
        ]),
      );
    const { fields } = popped();
    const body = Buffer.concat([
      several('%LMQ%$chats$a,%LMQ%$chats$b'),
      several('%LMQ%$others$a,%LMQ%$chats$c'),
      storedOf('d'),
    ]);
    const { connection, sent } = await connected(({ code }) =>
      code === CODES.popLiteMessage && polls++ === 0 ? { fields, body } : 'usual',
    );
    await consumerOn(connection).start();
    await until(() => sent(CODES.ackMessage).length === 2);
    const acks = sent(CODES.ackMessage).map((ack) => `${ack.fields.liteTopic} ${ack.fields.offset}`);
    expect(acks.sort()).toEqual(['c 3', 'd 7']);
  });

  it('are acknowledged one by one, however many were received together', async () => {
    let polls = 0;
    const { connection, sent } = await connected(({ code }) =>
      code === CODES.popLiteMessage && polls++ === 0 ? popped(32) : 'usual',
    );
    // Node warns about too many listeners of one signal, and the test environment fails for a warning.
    await consumerOn(connection, { concurrency: 32 }).start();
    await until(() => sent(CODES.ackMessage).length === 32);
    expect(sent(CODES.batchAckMessage)).toEqual([]);
  });

  it('are rejected at startup to a group that does not receive them, and to one that receives nothing else', async () => {
    const rejected = expect.objectContaining({ code: 'ILLEGAL_CONSUMER_GROUP', outcome: 'rejected' });
    const ordinary = await connected(undefined, { attributes: {} });
    await expect(consumerOn(ordinary.connection).start()).rejects.toEqual(rejected);
    const other = await connected(undefined, { attributes: { 'lite.bind.topic': 'others' } });
    await expect(consumerOn(other.connection).start()).rejects.toEqual(rejected);
    const { connection } = await connected();
    const without = { liteTopics: undefined, deadLetterTo: undefined };
    await expect(consumerOn(connection, without).start()).rejects.toEqual(rejected);
  });

  it('are rejected by brokers before 5.5.0, which would store and deliver the message as another', async () => {
    const { connection, sent } = await connected(undefined, { version: V540 });
    const rejected = { code: 'VERSION_UNSUPPORTED', outcome: 'rejected' };
    await expect(consumerOn(connection).start()).rejects.toMatchObject(rejected);
    const producer = new Producer(connection, {});
    closers.push(() => producer.close());
    const sending = producer.send({ topic: TOPIC, body: 'x', liteTopic: 'a' });
    await expect(sending).rejects.toMatchObject({ code: 'UNSUPPORTED', outcome: 'rejected' });
    expect(sent(CODES.sendMessageV2)).toEqual([]);
  });

  it.each([
    ['enableLmq', 'enableMultiDispatch'],
    ['enableMultiDispatch', 'enableLmq'],
  ])('are rejected at startup by a broker that delivers none, which names its setting: %s', async (off, on) => {
    const body = `brokerName=broker-0\n${off}=false\n${on}=true\n`;
    const { connection, sent } = await connected(({ code }) => (code === CODES.getBrokerConfig ? { body } : 'usual'));
    await expect(consumerOn(connection).start()).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      outcome: 'rejected',
      message: expect.stringContaining(`has ${off}=false, so it stores`),
    });
    expect(sent(CODES.popLiteMessage)).toEqual([]);
  });

  it('are received from a broker whose configuration this client must not read', async () => {
    const { connection, sent } = await connected(({ code }) =>
      code === CODES.getBrokerConfig ? { code: RESPONSE_CODES.noPermission, remark: 'no permission' } : 'usual',
    );
    await consumerOn(connection).start();
    await until(() => sent(CODES.popLiteMessage).length > 0);
  });

  it('are sent by name, all messages of one to one queue', async () => {
    const stored = { fields: { msgId: `${'0'.repeat(16)}000000000000002A`, queueId: '0', queueOffset: '7' } };
    const { connection, sent } = await connected(({ code }) => (code === CODES.sendMessageV2 ? stored : 'usual'));
    const producer = new Producer(connection, {});
    closers.push(() => producer.close());
    for (const body of ['1', '2', '3']) await producer.send({ topic: TOPIC, body, liteTopic: 'a' });
    const sends = sent(CODES.sendMessageV2);
    expect(new Set(sends.map(({ fields }) => fields.e)).size).toBe(1);
    expect(decodeProperties(sends[0]?.fields.i ?? '').get('__LITE_TOPIC')).toBe('a');
  });

  it('are rejected with the code of a proxy when the broker stores no further one', async () => {
    const full = { code: RESPONSE_CODES.lmqQuotaExceeded, remark: '[LMQ_CONSUME_QUEUE_NUM_EXCEEDED]' };
    const { connection } = await connected(({ code }) => (code === CODES.sendMessageV2 ? full : 'usual'));
    const producer = new Producer(connection, {});
    closers.push(() => producer.close());
    const rejected = { code: 'LITE_TOPIC_QUOTA_EXCEEDED', outcome: 'rejected' };
    await expect(producer.send({ topic: TOPIC, body: 'x', liteTopic: 'a' })).rejects.toMatchObject(rejected);
  });
});
