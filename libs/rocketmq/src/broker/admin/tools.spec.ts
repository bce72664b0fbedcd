// Requests of the real server's tools that RocketMQAdmin does not send, and requests that are rejected. The rest is in test/contract.

import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { BrokerWire, messagesIn } from '../../../../../tools/wire/broker-wire.js';
import { message, receiveRequest, resource } from '../../../../../tools/wire/raw-grpc-client.js';
import { toDuration } from '../../protocol/grpc/duration.js';
import { MessageType } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { encodeFrame, FrameDecoder, type OutgoingFrame, type RemotingFrame } from '../../protocol/remoting/frame.js';
import { decodeStoredMessages, encodeProperties } from '../../protocol/remoting/stored-message.js';
import type { EmbeddedBroker } from '../embedded-broker.js';

const wire = new BrokerWire();
afterEach(() => wire.close());

async function brokerWith(count: number): Promise<EmbeddedBroker> {
  const topics = [{ name: 'orders', queues: 1 }];
  const broker = await wire.broker({ nameServerPort: 0, strict: true, topics, groups: [{ name: 'shop' }] });
  const client = wire.client(broker);
  for (let index = 0; index < count; index++) {
    await client.call('sendMessage', { messages: [message('orders', `id-${index}`, {})] });
  }
  return broker;
}

async function ask(broker: EmbeddedBroker, request: Omit<OutgoingFrame, 'opaque'>): Promise<RemotingFrame> {
  const socket = connect(Number(broker.nameServerEndpoint.split(':').at(-1)), '127.0.0.1');
  const decoder = new FrameDecoder();
  try {
    socket.write(encodeFrame({ ...request, opaque: 1 }));
    for (;;) {
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      const [answer] = decoder.push(chunk);
      if (answer !== undefined) return answer;
    }
  } finally {
    socket.destroy();
  }
}

const pullFields = (fields: Record<string, string> = {}) => {
  const where = { consumerGroup: 'TOOLS_CONSUMER', topic: 'orders', queueId: '0', queueOffset: '0', maxMsgNums: '10' };
  return { ...where, sysFlag: '4', subscription: '*', ...fields };
};
const sendFields = (fields: Record<string, string> = {}, properties: Record<string, string> = {}) => {
  const text = encodeProperties(Object.entries({ UNIQ_KEY: 'sent', ...properties }));
  return { topic: 'orders', queueId: '-1', sysFlag: '0', bornTimestamp: '5', properties: text, ...fields };
};

describe('the name server port', () => {
  it("returns the route of a group's retry topic, by which tools find its brokers", async () => {
    const broker = await brokerWith(0);
    expect((await ask(broker, { code: 105, fields: { topic: '%RETRY%shop' } })).code).toBe(0);
    expect((await ask(broker, { code: 105, fields: { topic: '%RETRY%nobody' } })).code).toBe(17);
  });

  it('returns the route of each retry topic that the consume stats of a group name', async () => {
    const [topic, group] = ['new_orders', 'the_shop'];
    const broker = await wire.broker({ nameServerPort: 0, topics: [{ name: topic, queues: 1 }] });
    const client = wire.client(broker);
    await client.call('sendMessage', { messages: [message(topic, 'id', {})] });
    const consumer = await wire.consumer(broker, group);
    const [received] = messagesIn(await consumer.receive(receiveRequest(topic, group)));
    await consumer.call('changeInvisibleDuration', {
      ...{ topic: resource(topic), group: resource(group), messageId: 'id' },
      receiptHandle: received?.systemProperties?.receiptHandle ?? '',
      invisibleDuration: toDuration(0),
    });
    const stats = await ask(broker, { code: 208, fields: { consumerGroup: group } });
    const named = [...stats.body.toString().matchAll(/"topic":"([^"]+)"/g)].map(([, name]) => name as string);
    expect(named).toContain(`%RETRY%${group}_${topic}`);
    for (const name of named) expect((await ask(broker, { code: 105, fields: { topic: name } })).code).toBe(0);
    for (const name of [`%RETRY%${group}_none`, `%RETRY%none_${topic}`, `%RETRY%_${topic}`, `%RETRY%${group}_`])
      expect((await ask(broker, { code: 105, fields: { topic: name } })).code).toBe(17);
  });

  it('lists the retry topics of the groups, by which tools find the groups', async () => {
    const broker = await brokerWith(0);
    const { body } = await ask(broker, { code: 206, fields: {} });
    expect(JSON.parse(body.toString())).toEqual({ topicList: ['orders', '%RETRY%shop'] });
  });

  it('reports its load with the keys that tools read', async () => {
    const topics = [
      { name: 'orders', queues: 2 },
      { name: 'later', type: 'delay', queues: 1 },
    ] as const;
    const broker = await wire.broker({ nameServerPort: 0, topics });
    const client = wire.client(broker);
    const deliveryTimestamp = new Date(Date.now() + 3_600_000);
    for (const id of ['a', 'b', 'c']) await client.call('sendMessage', { messages: [message('orders', id)] });
    await client.call('sendMessage', {
      messages: [message('later', 'd', { messageType: MessageType.DELAY, deliveryTimestamp })],
    });
    const consumer = await wire.consumer(broker, 'shop');
    await consumer.receive({ ...receiveRequest('orders', 'shop'), batchSize: 2 });
    const { body } = await ask(broker, { code: 28, fields: {} });
    expect(JSON.parse(body.toString()).table).toMatchObject({
      putTps: '0.3 0.05 0.005',
      getTransferredTps: '0.2 0.03333333333333333 0.0033333333333333335',
      getTransferedTps: '0.2 0.03333333333333333 0.0033333333333333335',
      msgPutTotalTodayNow: '3',
      msgGetTotalTodayNow: '2',
      sendThreadPoolQueueSize: '0',
      pullThreadPoolQueueHeadWaitTimeMills: '0',
      timerReadBehind: '0',
      timerCongestNum: '1',
      timerEnqueueTps: '0.1',
      timerDequeueTps: '0',
    });
  });

  it('returns the beginning and the end of a queue, and an offset by time', async () => {
    const broker = await brokerWith(3);
    const offset = async (code: number, fields = {}) =>
      (await ask(broker, { code, fields: { topic: 'orders', queueId: '0', ...fields } })).fields.offset;
    expect([await offset(31), await offset(30)]).toEqual(['0', '3']);
    expect([await offset(29, { timestamp: '0' }), await offset(29, { timestamp: '-1' })]).toEqual(['0', '0']);
    expect((await ask(broker, { code: 30, fields: { topic: 'orders', queueId: '1' } })).fields.offset).toBe('0');
  });

  it('returns the last message until a time with the upper boundary, and when the first one was stored', async () => {
    const broker = await brokerWith(3);
    const fields = { topic: 'orders', queueId: '0' };
    const upper = async (timestamp: number) =>
      (await ask(broker, { code: 29, fields: { ...fields, timestamp: String(timestamp), boundaryType: 'UPPER' } }))
        .fields.offset;
    expect([await upper(0), await upper(Date.now() + 60_000)]).toEqual(['0', '2']);
    const earliest = async (of: object) =>
      Number((await ask(broker, { code: 32, fields: { ...fields, ...of } })).fields.timestamp);
    const pulled = await ask(broker, { code: 11, fields: pullFields() });
    expect(await earliest({})).toBe(decodeStoredMessages(pulled.body)[0]?.storeTimestampMs);
    expect([await earliest({ queueId: '9' }), await earliest({ topic: 'none' })]).toEqual([-1, -1]);
  });

  it('lists the topics of the server itself: those of a name server, and the broker that has the others', async () => {
    const broker = await brokerWith(0);
    const { body } = await ask(broker, { code: 304, fields: {} });
    const brokerAddr = broker.nameServerEndpoint;
    expect(JSON.parse(String(body))).toEqual({ brokerAddr, topicList: ['embedded', 'DefaultCluster'] });
  });

  it('returns how many messages a topic has received', async () => {
    const broker = await brokerWith(3);
    const stats = (statsName: string, statsKey: string) => ask(broker, { code: 315, fields: { statsName, statsKey } });
    const count = (seconds: number) => ({ sum: 3, tps: 3 / seconds, avgpt: 1 });
    expect(JSON.parse(String((await stats('TOPIC_PUT_NUMS', 'orders')).body))).toEqual({
      statsMinute: count(60),
      statsHour: count(3_600),
      statsDay: count(86_400),
    });
    const none = await stats('TOPIC_PUT_SIZE', 'orders');
    expect(none).toMatchObject({ code: 1, remark: 'The stats <TOPIC_PUT_SIZE> <orders> not exist' });
  });

  it('returns the positions of all groups', async () => {
    const broker = await brokerWith(3);
    await ask(broker, { code: 222, fields: { group: 'shop', topic: 'orders', timestamp: '0' } });
    const { body } = await ask(broker, { code: 317, fields: { isOrder: 'false' } });
    const queue = '{"brokerName":"embedded","queueId":0,"topic":"orders"}';
    const offsets = '{"brokerOffset":3,"consumerOffset":0,"lastTimestamp":0,"pullOffset":0}';
    expect(String(body)).toContain(`{"shop":[{"consumeTps":0,"offsetTable":{${queue}:${offsets}}}]}`);
    expect(String(body)).toContain('"totalDiff":3');
    const ordered = await ask(broker, { code: 317, fields: { isOrder: 'true' } });
    expect(String(ordered.body)).toContain('{"shop":[]}');
  });

  it('returns the position of a group in a queue, or where it will start', async () => {
    const broker = await brokerWith(3);
    const position = async (consumerGroup: string) => {
      const fields = { consumerGroup, topic: 'orders', queueId: '0' };
      return (await ask(broker, { code: 14, fields })).fields.offset;
    };
    expect([await position('shop'), await position('nobody')]).toEqual(['0', '0']);
    await ask(broker, { code: 222, fields: { group: 'shop', topic: 'orders', timestamp: '-1' } });
    expect([await position('shop'), await position('nobody')]).toEqual(['3', '0']);
  });

  it('returns the messages of a queue to a pull, without moving a group', async () => {
    const broker = await brokerWith(40);
    const first = await ask(broker, { code: 11, fields: pullFields({ maxMsgNums: '100' }) });
    expect(first).toMatchObject({ code: 0, fields: { nextBeginOffset: '32', minOffset: '0', maxOffset: '40' } });
    const ids = decodeStoredMessages(first.body).map(({ properties }) => properties.get('UNIQ_KEY'));
    expect(ids).toEqual(Array.from({ length: 32 }, (_, index) => `id-${index}`));
    const topics = await ask(broker, { code: 343, fields: { group: 'TOOLS_CONSUMER' } });
    expect(JSON.parse(topics.body.toString())).toMatchObject({ topicList: [] });
  });

  it('answers a pull with messages and the next offset', async () => {
    const broker = await brokerWith(2);
    const pull = async (queueOffset: string) => {
      const { code, fields } = await ask(broker, { code: 11, fields: pullFields({ queueOffset }) });
      return [code, fields.nextBeginOffset];
    };
    expect(await pull('2')).toEqual([19, '2']);
    expect(await pull('9')).toEqual([21, '2']);
    expect(await pull('-1')).toEqual([21, '0']);
  });

  it('names the broker to read from next with every answer to a pull, without which the Java tools fail', async () => {
    const broker = await brokerWith(2);
    const next = async (queueOffset: string) =>
      (await ask(broker, { code: 11, fields: pullFields({ queueOffset }) })).fields.suggestWhichBrokerId;
    expect([await next('0'), await next('2'), await next('9'), await next('-1')]).toEqual(['0', '0', '0', '0']);
  });

  it('stores a sent message in the given queue', async () => {
    const broker = await brokerWith(1);
    const sent = await ask(broker, {
      code: 10,
      fields: sendFields({ queueId: '0' }, { a: 'b' }),
      body: Buffer.from('x'),
    });
    expect(sent).toMatchObject({ code: 0, fields: { queueId: '0', queueOffset: '1' } });
    const found = await ask(broker, {
      code: 12,
      fields: {
        topic: 'orders',
        key: 'sent',
        maxNum: '1',
        beginTimestamp: '0',
        endTimestamp: '9223372036854775807',
        _UNIQUE_KEY_QUERY: 'true',
      },
    });
    expect(found.fields.indexLastUpdateTimestamp).toMatch(/^\d+$/);
    const [stored] = decodeStoredMessages(found.body);
    expect(stored).toMatchObject({ bornTimestampMs: 5, body: Buffer.from('x'), queueOffset: 1 });
    expect(stored?.properties.get('a')).toBe('b');
  });

  it.each([
    ['a pull for a group that is not there', { code: 11, fields: pullFields({ consumerGroup: 'nobody' }) }, 26],
    ['a pull of a topic that is not there', { code: 11, fields: pullFields({ topic: 'nothing' }) }, 17],
    ['a pull of a queue that is not there', { code: 11, fields: pullFields({ queueId: '1' }) }, 29],
    ['a pull that commits no offset', { code: 11, fields: pullFields({ sysFlag: '5' }) }, 1],
    ['a pull without an offset', { code: 11, fields: pullFields({ queueOffset: 'x' }) }, 1],
    ['a message without a body', { code: 10, fields: sendFields() }, 1],
    [
      'a message for a queue that is not there',
      { code: 10, fields: sendFields({ queueId: '1' }), body: Buffer.from('x') },
      29,
    ],
    [
      'a message for a topic that is not there',
      { code: 10, fields: sendFields({ topic: 'nothing' }), body: Buffer.from('x') },
      17,
    ],
    [
      'a message for a time beyond three days',
      { code: 10, fields: sendFields({}, { TIMER_DELAY_SEC: '259201' }), body: Buffer.from('x') },
      13,
    ],
    ...['9000000000000000', '253402300800000', '-62135596800001'].map(
      (bornTimestamp): [string, Omit<OutgoingFrame, 'opaque'>, number] => [
        `a message that was born at ${bornTimestamp}`,
        { code: 10, fields: sendFields({ bornTimestamp }), body: Buffer.from('x') },
        1,
      ],
    ),
    ['a consumer that is not connected', { code: 307, fields: { consumerGroup: 'shop', clientId: 'c' } }, 1],
    ['a look-up without a limit', { code: 12, fields: { topic: 'orders', key: 'k' } }, 1],
  ])('rejects %s', async (_, request, code) => {
    const broker = await brokerWith(1);
    expect((await ask(broker, request)).code).toBe(code);
    expect((await ask(broker, { code: 30, fields: { topic: 'orders', queueId: '0' } })).fields.offset).toBe('1');
  });
});
