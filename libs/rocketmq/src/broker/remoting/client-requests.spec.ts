// What a client of the remoting protocol can notice, frame by frame. Whole clients are in test/contract and checks/interop.

import { createHmac } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import { until } from '../../../../../tools/until.js';
import { BrokerWire, messagesIn } from '../../../../../tools/wire/broker-wire.js';
import { receiveRequest } from '../../../../../tools/wire/raw-grpc-client.js';
import { RawRemotingClient } from '../../../../../tools/wire/raw-remoting-client.js';
import { heartbeatOf, pullOf, sendOf, subscribed, textsOf } from '../../../../../tools/wire/remoting-requests.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { decodeStoredMessages, encodeProperties, offsetInMessageId } from '../../protocol/remoting/stored-message.js';
import { ManualClock } from '../../support/manual-clock.js';
import type { EmbeddedBroker } from '../embedded-broker.js';
import type { EmbeddedBrokerOptions } from '../embedded-broker-options.js';

const SECOND_MS = 1_000;
/** What a broker adds (5.5.0). */
const SIGNATURE = { MSG_REGION: 'DefaultRegion', CLUSTER: 'DefaultCluster', TRACE_ON: 'true' };
const wire = new BrokerWire();
const clients: RawRemotingClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await wire.close();
});

const started = (options: EmbeddedBrokerOptions = {}): Promise<EmbeddedBroker> =>
  wire.broker({
    nameServerPort: 0,
    strict: true,
    topics: [{ name: 'orders', queues: 2 }],
    groups: [{ name: 'shop', maxDeliveryAttempts: 3 }],
    ...options,
  });

async function clientOf(broker: EmbeddedBroker): Promise<RawRemotingClient> {
  const client = await RawRemotingClient.connect(broker.nameServerEndpoint);
  clients.push(client);
  return client;
}

describe('a producer', () => {
  it('sends to the queue of its choice, and learns where the message is', async () => {
    const client = await clientOf(await started());
    await client.ask(sendOf());
    const answer = await client.ask(sendOf({ fields: { e: '1' }, properties: { UNIQ_KEY: 'm', TAGS: 'a', n: '1' } }));
    expect(answer).toMatchObject({ code: 0, fields: { queueId: '1', queueOffset: '0', transactionId: 'm' } });
    const pulled = await client.ask(pullOf({ queueId: '1' }));
    const [stored] = decodeStoredMessages(pulled.body);
    expect(stored).toMatchObject({ queueId: 1, queueOffset: 0, bornTimestampMs: 5, topic: 'orders' });
    expect(Object.fromEntries(stored?.properties ?? [])).toEqual({ UNIQ_KEY: 'm', TAGS: 'a', n: '1', ...SIGNATURE });
    expect(stored?.commitLogOffset).toBe(offsetInMessageId(answer.fields.msgId ?? ''));
  });

  it('keeps what only clients of the protocol read: flag, compression, reserved properties', async () => {
    const client = await clientOf(await started());
    const properties = { CORRELATION_ID: 'c', WAIT: 'true', INSTANCE_ID: 'i' };
    await client.ask(sendOf({ properties, fields: { f: String(0x101), h: '7' } }));
    const [stored] = decodeStoredMessages((await client.ask(pullOf())).body);
    expect(stored).toMatchObject({ flag: 7, sysFlag: 0x101 });
    expect(Object.fromEntries(stored?.properties ?? [])).toEqual({ UNIQ_KEY: 'id', ...properties, ...SIGNATURE });
  });

  it('creates a topic with its first message, like TBW102, unless the broker is strict', async () => {
    const lenient = await clientOf(await started({ strict: false }));
    expect((await lenient.ask({ code: 105, fields: { topic: 'new' } })).code).toBe(17);
    const template = JSON.parse(String((await lenient.ask({ code: 105, fields: { topic: 'TBW102' } })).body));
    expect(template.queueDatas).toEqual([expect.objectContaining({ perm: 7, writeQueueNums: 8 })]);
    // Only a topic that may be copied is.
    expect((await lenient.ask(sendOf({ topic: 'new', fields: { c: 'new' } }))).code).toBe(17);
    expect((await lenient.ask(sendOf({ topic: 'new' }))).code).toBe(0);
    const route = JSON.parse(String((await lenient.ask({ code: 105, fields: { topic: 'new' } })).body));
    expect(route.queueDatas).toEqual([expect.objectContaining({ perm: 6, writeQueueNums: 4 })]);
    const strict = await clientOf(await started());
    expect(await strict.ask(sendOf({ topic: 'new' }))).toMatchObject({
      code: 17,
      remark: 'topic[new] not exist, apply first please!',
    });
  });

  it('sends a batch to one queue, whose messages have their own properties, and no delay', async () => {
    const client = await clientOf(await started());
    const entry = (body: string, properties: Record<string, string>): Buffer => {
      const text = Buffer.from(encodeProperties(Object.entries(properties)));
      const bytes = Buffer.alloc(22 + body.length + text.length);
      bytes.writeInt32BE(bytes.length, 0);
      bytes.writeInt32BE(body.length, 16);
      bytes.write(body, 20);
      bytes.writeUInt16BE(text.length, 20 + body.length);
      bytes.set(text, 22 + body.length);
      return bytes;
    };
    const { fields } = sendOf({ fields: { i: '', m: 'true' } });
    const body = Buffer.concat([entry('a', { UNIQ_KEY: '1', TAGS: 't' }), entry('b', { UNIQ_KEY: '2', DELAY: '3' })]);
    const answer = await client.ask({ code: 320, fields, body });
    expect(answer.fields.msgId?.split(',')).toHaveLength(2);
    expect(textsOf(await client.ask(pullOf()))).toEqual(['a', 'b']);
    for (const wrong of [body.subarray(0, -1), Buffer.from('no batch at all, but text')]) {
      expect((await client.ask({ code: 320, fields, body: wrong })).code).toBe(13);
    }
    const delayed = { ...fields, i: encodeProperties([['DELAY', '1']]) };
    expect((await client.ask({ code: 320, fields: delayed, body })).code).toBe(13);
  });

  it.each([
    ['level 2', { DELAY: '2' }, 5],
    ['a level beyond the last', { DELAY: '99' }, 7_200],
    ['seconds', { TIMER_DELAY_SEC: '3' }, 3],
    ['milliseconds', { TIMER_DELAY_MS: '4000' }, 4],
  ])('delays by %s', async (_, properties: Record<string, string>, seconds) => {
    const clock = new ManualClock();
    const broker = await started({ clock });
    const client = await clientOf(broker);
    const answer = await client.ask(sendOf({ properties, fields: { e: '1' } }));
    expect(answer.fields.recallHandle === undefined).toBe('DELAY' in properties);
    clock.advanceTo(clock.nowMs() + seconds * SECOND_MS - 1);
    expect((await client.ask(pullOf({ queueId: '1' }))).code).toBe(19);
    clock.advanceTo(clock.nowMs() + 1);
    const [stored] = decodeStoredMessages((await client.ask(pullOf({ queueId: '1' }))).body);
    expect(stored?.properties.get('REAL_QID')).toBe('1');
  });

  it('commits and rolls back, once, in the name of the group that sent the half message', async () => {
    const client = await clientOf(await started());
    const half = await client.ask(
      sendOf({ properties: { TRAN_MSG: 'true', PGROUP: 'pg' }, fields: { e: '1', f: '4' } }),
    );
    const logOffset = offsetInMessageId(half.fields.msgId ?? '');
    const { queueOffset = '', transactionId = '' } = half.fields;
    const end = (fields: Record<string, string>) =>
      client.ask({
        code: 37,
        fields: {
          producerGroup: 'pg',
          tranStateTableOffset: queueOffset,
          commitLogOffset: String(logOffset),
          commitOrRollback: '8',
          transactionId,
          ...fields,
        },
      });
    expect((await client.ask(pullOf({ queueId: '1' }))).code).toBe(19);
    expect(await end({ producerGroup: 'other' })).toMatchObject({ code: 1, remark: 'The producer group wrong' });
    expect((await end({})).code).toBe(0);
    expect(textsOf(await client.ask(pullOf({ queueId: '1' })))).toEqual(['x']);
    expect((await end({})).code).toBe(1);
  });

  it('is asked about a half message by any of its group, and not by a heartbeat of another', async () => {
    const clock = new ManualClock();
    const broker = await started({ clock });
    const [sender, other] = [await clientOf(broker), await clientOf(broker)];
    await sender.ask(sendOf({ properties: { TRAN_MSG: 'true', PGROUP: 'pg' } }));
    sender.close();
    await other.ask(heartbeatOf('other'));
    // The first check, of a message that was born long ago, was due at once.
    clock.advanceTo(clock.nowMs() + 31 * SECOND_MS);
    await until(() => other.requests.some(({ code }) => code === 39));
    const check = other.requests.find(({ code }) => code === 39);
    const [message] = decodeStoredMessages(check?.body ?? Buffer.alloc(0));
    expect(message).toMatchObject({ topic: 'orders', body: Buffer.from('x') });
    expect(message?.properties.get('PGROUP')).toBe('pg');
    const { tranStateTableOffset = '', commitLogOffset = '', transactionId = '' } = check?.fields ?? {};
    const place = { tranStateTableOffset, commitLogOffset, transactionId };
    const fields = { producerGroup: 'pg', commitOrRollback: '8', fromTransactionCheck: 'true', ...place };
    other.sendOneWay({ code: 37, fields });
    await until(async () => (await other.ask(pullOf())).code === 0);
  });
});

describe('a consumer', () => {
  it('waits for a message, while other requests of its connection are answered', async () => {
    const client = await clientOf(await started());
    const waiting = client.ask(pullOf({ sysFlag: '6', suspendTimeoutMillis: '20000' }));
    expect((await client.ask(heartbeatOf('c'))).code).toBe(0);
    await client.ask(sendOf());
    const answer = await waiting;
    expect(answer).toMatchObject({ code: 0, fields: { nextBeginOffset: '1', suggestWhichBrokerId: '0' } });
    expect(textsOf(answer)).toEqual(['x']);
  });

  it('waits no longer than it asked for', async () => {
    const client = await clientOf(await started());
    const answer = await client.ask(pullOf({ sysFlag: '6', suspendTimeoutMillis: '50' }));
    expect(answer).toMatchObject({ code: 19, fields: { nextBeginOffset: '0', minOffset: '0', maxOffset: '0' } });
  });

  it('reads by tags and SQL92, of its request or of its heartbeat, and goes on behind what does not match', async () => {
    const client = await clientOf(await started());
    for (const [n, tag] of ['a', 'b', 'a'].entries()) {
      await client.ask(sendOf({ body: `${tag}${n}`, properties: { TAGS: tag, n: String(n) } }));
    }
    expect(textsOf(await client.ask(pullOf({ subscription: 'b || c' })))).toEqual(['b1']);
    const sql = { subscription: 'n > 1', expressionType: 'SQL92' };
    expect(textsOf(await client.ask(pullOf(sql)))).toEqual(['a2']);
    expect((await client.ask(pullOf({ ...sql, subscription: 'n >' }))).code).toBe(23);
    const none = await client.ask(pullOf({ subscription: 'c' }));
    expect(none).toMatchObject({ code: 20, fields: { nextBeginOffset: '3' } });
    expect((await client.ask(pullOf({ sysFlag: '0' }))).code).toBe(24);
    // Nanoseconds, as some clients send them, are more than a number holds.
    await client.ask(heartbeatOf('c', [subscribed('orders', '1795746970337705699', 'b')]));
    expect(textsOf(await client.ask(pullOf({ sysFlag: '0', subVersion: '5' })))).toEqual(['b1']);
    await client.ask(heartbeatOf('c', [subscribed('orders', 9, 'a')]));
    expect(textsOf(await client.ask(pullOf({ sysFlag: '0' })))).toEqual(['b1']);
  });

  it('learns where to go on from an offset that is not there', async () => {
    const client = await clientOf(await started());
    await client.ask(sendOf());
    const answer = await client.ask(pullOf({ queueOffset: '9' }));
    expect(answer).toMatchObject({ code: 21, remark: 'OFFSET_OVERFLOW_BADLY', fields: { nextBeginOffset: '1' } });
  });

  it('stores its position, by itself and with a pull, backwards too', async () => {
    const client = await clientOf(await started());
    const where = { consumerGroup: 'shop', topic: 'orders', queueId: '0' };
    const position = async () => {
      const { code, fields } = await client.ask({ code: 14, fields: where });
      return [code, fields.offset];
    };
    expect(await position()).toEqual([22, undefined]);
    await client.ask(sendOf());
    expect(await position()).toEqual([0, '0']);
    expect((await client.ask({ code: 15, fields: { ...where, commitOffset: '7' } })).code).toBe(0);
    expect(await position()).toEqual([0, '7']);
    await client.ask(pullOf({ sysFlag: '5', commitOffset: '1' }));
    expect(await position()).toEqual([0, '1']);
    const wrong = { ...where, topic: 'nothing', commitOffset: '1' };
    expect((await client.ask({ code: 15, fields: wrong })).code).toBe(17);
  });

  it('is moved by an operator: its next pull says where to, and its old position is not taken', async () => {
    const client = await clientOf(await started());
    await client.ask(sendOf());
    const where = { consumerGroup: 'shop', topic: 'orders', queueId: '0' };
    await client.ask({ code: 15, fields: { ...where, commitOffset: '1' } });
    const waiting = client.ask(pullOf({ queueOffset: '1', sysFlag: '6', suspendTimeoutMillis: '20000' }));
    const fields = { topic: 'orders', group: 'shop', timestamp: '0', isForce: 'true', queueId: '0', offset: '0' };
    expect((await client.ask({ code: 222, fields })).code).toBe(0);
    expect(await waiting).toMatchObject({ code: 21, remark: 'OFFSET_RESET', fields: { nextBeginOffset: '0' } });
    expect((await client.ask(pullOf())).code).toBe(0);
  });

  it('of a group that must not broadcast is rejected when it does, unless each of its pulls has a filter', async () => {
    const client = await clientOf(await started());
    const group = { groupName: 'shop', consumeBroadcastEnable: false };
    await client.ask({ code: 200, body: Buffer.from(JSON.stringify(group)) });
    const { body } = await client.ask({ code: 352, fields: { group: 'shop' } });
    expect(JSON.parse(String(body))).toMatchObject({ consumeBroadcastEnable: false });
    const heartbeat = (messageModel: string) => client.ask(heartbeatOf('c', undefined, { messageModel }));
    const pull = () => client.ask(pullOf({ sysFlag: '0' }));
    expect((await heartbeat('BROADCASTING')).code).toBe(0);
    expect(await pull()).toMatchObject({
      code: 16,
      remark: 'the consumer group[shop] can not consume by broadcast way',
    });
    expect((await client.ask(pullOf())).code).toBe(19);
    await heartbeat('CLUSTERING');
    expect((await pull()).code).toBe(19);
  });

  it('learns of each that comes and goes, and who is there', async () => {
    const broker = await started();
    const [first, second] = [await clientOf(broker), await clientOf(broker)];
    const changes = ({ requests }: RawRemotingClient): number => requests.filter(({ code }) => code === 40).length;
    const members = async () => {
      const { code, body } = await first.ask({ code: 38, fields: { consumerGroup: 'shop' } });
      return code === 0 ? JSON.parse(String(body)).consumerIdList : code;
    };
    expect(await members()).toBe(1);
    await first.ask(heartbeatOf('a'));
    await until(() => changes(first) === 1);
    await second.ask(heartbeatOf('b'));
    await until(() => changes(first) === 2 && changes(second) === 1);
    expect(await members()).toEqual(['a', 'b']);
    // Another filter of a known topic is no news; another topic is.
    await second.ask(heartbeatOf('b', [subscribed('orders', 2, 'x')]));
    await second.ask(heartbeatOf('b', [subscribed('orders', 2, 'x'), subscribed('more')]));
    await until(() => changes(first) === 3);
    second.close();
    await until(() => changes(first) === 4);
    expect(await members()).toEqual(['a']);
    await first.ask({ code: 35, fields: { clientID: 'a', consumerGroup: 'shop' } });
    expect(await members()).toBe(1);
  });

  it('locks queues for itself, until it unlocks them', async () => {
    const client = await clientOf(await started());
    const mqSet = [0, 1, 2, -1, 0.5].map((queueId) => ({ topic: 'orders', brokerName: 'embedded', queueId }));
    const ask = async (code: number, clientId: string) => {
      const { body } = await client.ask({
        code,
        body: Buffer.from(JSON.stringify({ consumerGroup: 'shop', clientId, mqSet })),
      });
      return body.length === 0 ? undefined : JSON.parse(String(body)).lockOKMQSet.length;
    };
    // The topic has two queues.
    expect(await ask(41, 'a')).toBe(2);
    expect(await ask(41, 'b')).toBe(0);
    await ask(42, 'b');
    expect(await ask(41, 'b')).toBe(0);
    await ask(42, 'a');
    expect(await ask(41, 'b')).toBe(2);
  });

  it('sends a message back: it is retried after a level, then a dead letter', async () => {
    const clock = new ManualClock();
    const client = await clientOf(await started({ clock }));
    await client.ask(heartbeatOf('c'));
    await client.ask(sendOf({ properties: { TAGS: 'a', n: '1' } }));
    const back = (stored: { commitLogOffset: number }, delayLevel: number) => {
      const offset = String(stored.commitLogOffset);
      const fields = { group: 'shop', originTopic: 'orders', offset, delayLevel: String(delayLevel) };
      return client.ask({ code: 36, fields: { ...fields, maxReconsumeTimes: '1' } });
    };
    const [first] = decodeStoredMessages((await client.ask(pullOf())).body);
    expect((await back(first as never, 1)).code).toBe(0);
    const retries = pullOf({ topic: '%RETRY%shop' });
    expect((await client.ask(retries)).code).toBe(19);
    clock.advanceTo(clock.nowMs() + SECOND_MS);
    const [retry] = decodeStoredMessages((await client.ask(retries)).body);
    expect(retry).toMatchObject({ topic: '%RETRY%shop', reconsumeTimes: 1, body: first?.body });
    expect(Object.fromEntries(retry?.properties ?? [])).toMatchObject({
      UNIQ_KEY: 'id',
      TAGS: 'a',
      n: '1',
      RETRY_TOPIC: 'orders',
      DELAY: '1',
    });
    expect((await back(retry as never, 1)).code).toBe(0);
    const [dead] = decodeStoredMessages((await client.ask(pullOf({ topic: '%DLQ%shop' }))).body);
    expect(dead).toMatchObject({ topic: '%DLQ%shop', reconsumeTimes: 2 });
    expect(dead?.properties.get('RETRY_TOPIC')).toBe('orders');
    expect(dead?.properties.get('ORIGIN_MESSAGE_ID')).toBe(retry?.properties.get('ORIGIN_MESSAGE_ID'));
    expect((await back({ commitLogOffset: 2 ** 50 }, 1)).code).toBe(1);
  });

  it('stores its own copy of a retry, which is a dead letter after its attempts', async () => {
    const client = await clientOf(await started());
    await client.ask(heartbeatOf('c'));
    const properties = { RETRY_TOPIC: 'orders' };
    const retry = (j: string) => client.ask(sendOf({ topic: '%RETRY%shop', properties, fields: { j, l: '2' } }));
    for (const attempts of ['1', '2', '3']) await retry(attempts);
    const kept = decodeStoredMessages((await client.ask(pullOf({ topic: '%RETRY%shop' }))).body);
    expect(kept.map(({ reconsumeTimes }) => reconsumeTimes)).toEqual([1, 2]);
    const dead = decodeStoredMessages((await client.ask(pullOf({ topic: '%DLQ%shop' }))).body);
    expect(dead.map(({ reconsumeTimes }) => reconsumeTimes)).toEqual([3]);
  });
});

it('a group that pulls and one that receives by gRPC get every message each; one group has one position for both', async () => {
  const broker = await started({ groups: [{ name: 'shop' }, { name: 'other' }] });
  const client = await clientOf(broker);
  await client.ask(sendOf({ body: 'first' }));
  expect(textsOf(await client.ask(pullOf({ sysFlag: '5', commitOffset: '0' })))).toEqual(['first']);
  const consumer = await wire.consumer(broker, 'other');
  const received = async () => messagesIn(await consumer.receive(receiveRequest('orders', 'other')));
  expect((await received()).map(({ body }) => String(body))).toEqual(['first']);
  await client.ask({ code: 15, fields: { consumerGroup: 'other', topic: 'orders', queueId: '0', commitOffset: '0' } });
  expect((await received()).map(({ body }) => String(body))).toEqual(['first']);
});

describe('a tool', () => {
  it('sees the consumers that are connected, and asks one of them', async () => {
    const broker = await started();
    const [consumer, tool] = [await clientOf(broker), await clientOf(broker)];
    await consumer.ask(heartbeatOf('c', [subscribed('orders', 3, 'a || b')]));
    const { body } = await tool.ask({ code: 203, fields: { consumerGroup: 'shop' } });
    expect(JSON.parse(String(body))).toMatchObject({
      connectionSet: [{ clientId: 'c', version: 407 }],
      consumeType: 'CONSUME_PASSIVELY',
      subscriptionTable: { orders: { subString: 'a || b', subVersion: 3, tagsSet: ['a', 'b'], codeSet: [97, 98] } },
    });
    consumer.answers = ({ code, fields }) => ({ code: 0, body: Buffer.from(`${code} ${fields.clientId}`) });
    const info = await tool.ask({ code: 307, fields: { consumerGroup: 'shop', clientId: 'c', jstackEnable: 'false' } });
    expect(String(info.body)).toBe('307 c');
    const { fields } = await tool.ask(sendOf({ body: 'again' }));
    const msgId = fields.msgId ?? '';
    consumer.answers = ({ body: message }) => ({
      code: 0,
      remark: textsOf({ body: message } as RemotingFrame)[0] ?? '',
    });
    const once = await tool.ask({ code: 309, fields: { consumerGroup: 'shop', clientId: 'c', msgId } });
    expect(once).toMatchObject({ code: 0, remark: 'again' });
    const offset = String(offsetInMessageId(msgId));
    expect(textsOf(await tool.ask({ code: 33, fields: { offset } }))).toEqual(['again']);
  });

  it('sees the producers that are connected, and where each consumer is', async () => {
    const broker = await started();
    const [client, tool] = [await clientOf(broker), await clientOf(broker)];
    const listOf = async (code: number, fields = {}) => JSON.parse(String((await tool.ask({ code, fields })).body));
    expect((await tool.ask({ code: 204, fields: { producerGroup: 'pg' } })).code).toBe(1);
    await client.ask(heartbeatOf('c'));
    expect(await listOf(204, { producerGroup: 'pg' })).toEqual({
      connectionSet: [{ clientId: 'c', clientAddr: expect.any(String), language: 'JAVA', version: 407 }],
    });
    expect(await listOf(328)).toMatchObject({ data: { pg: [{ clientId: 'c', language: 'JAVA', version: 407 }] } });
    const queue = '{"brokerName":"embedded","queueId":0,"topic":"orders"}';
    const position = { topic: 'orders', group: 'shop', clientAddr: '' };
    client.answers = ({ code, fields }) => {
      return {
        code: code === 221 && fields.group === 'shop' ? 0 : 1,
        body: Buffer.from(`{"messageQueueTable":{${queue}:7}}`),
      };
    };
    const { body } = await tool.ask({ code: 223, fields: position });
    expect(String(body)).toBe(`{"consumerTable":{"c":{${queue}:7}},"messageQueueTable":{}}`);
    client.answers = () => ({ code: 0, body: Buffer.from('not JSON') });
    expect(String((await tool.ask({ code: 223, fields: position })).body)).toContain('"c":{}');
    expect((await tool.ask({ code: 223, fields: { ...position, group: 'other' } })).code).toBe(1);
  });

  it('reads what the name server is set to', async () => {
    const broker = await started();
    const { body } = await (await clientOf(broker)).ask({ code: 319 });
    expect(String(body)).toContain(`listenPort=${broker.nameServerEndpoint.split(':')[1]}\n`);
  });

  it('reads the delay levels', async () => {
    const client = await clientOf(await started());
    expect(String((await client.ask({ code: 26 })).body)).toContain('messageDelayLevel=1s 5s 10s 30s 1m 2m');
  });

  it('gets an answer to a request that the broker does not know', async () => {
    const client = await clientOf(await started());
    expect((await client.ask({ code: 200_999 })).code).toBe(3);
  });
});

describe('a user', () => {
  const users = [
    {
      accessKey: 'app',
      secretKey: 'secret',
      permissions: [
        { resource: 'Topic:orders', actions: ['Pub', 'Sub'] as const },
        { resource: 'Group:shop', actions: ['Sub'] as const },
      ],
    },
  ];
  const signed = ({ code, fields = {}, body }: { code: number; fields?: Record<string, string>; body?: Buffer }) => {
    const all: Record<string, string> = { ...fields, AccessKey: 'app' };
    const values = Object.keys(all)
      .sort()
      .map((name) => all[name]);
    const hmac = createHmac('sha1', 'secret').update(values.join(''));
    return { code, fields: { ...all, Signature: hmac.update(body ?? '').digest('base64') }, ...(body && { body }) };
  };

  it('sends and pulls what its permissions say, and is no administrator', async () => {
    const topics = [{ name: 'orders' }, { name: 'secrets' }];
    const client = await clientOf(await started({ users, topics }));
    // A name server answers everybody.
    expect((await client.ask({ code: 105, fields: { topic: 'orders' } })).code).toBe(0);
    expect((await client.ask(sendOf())).code).toBe(16);
    expect((await client.ask(signed(sendOf()))).code).toBe(0);
    expect((await client.ask(signed(heartbeatOf('c')))).code).toBe(0);
    expect((await client.ask(signed(pullOf()))).code).toBe(0);
    expect((await client.ask(signed(pullOf({ topic: '%RETRY%shop' })))).code).toBe(19);
    expect((await client.ask(signed(sendOf({ topic: 'secrets' })))).code).toBe(16);
    expect((await client.ask(signed(heartbeatOf('c', [subscribed('secrets')])))).code).toBe(16);
    expect((await client.ask(signed(pullOf({ consumerGroup: 'others' })))).code).toBe(16);
    expect((await client.ask(signed({ code: 215, fields: { topic: 'orders' } }))).code).toBe(16);
  });
});
