// What a client of the remoting protocol that pops can notice, frame by frame. Whole clients are in test/contract and checks/interop.

import { createHmac } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import { until } from '../../../../../tools/until.js';
import { BrokerWire } from '../../../../../tools/wire/broker-wire.js';
import { RawRemotingClient } from '../../../../../tools/wire/raw-remoting-client.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { decodeStoredMessages, encodeProperties } from '../../protocol/remoting/stored-message.js';
import { ManualClock } from '../../support/manual-clock.js';
import type { EmbeddedBroker } from '../embedded-broker.js';
import type { EmbeddedBrokerOptions } from '../embedded-broker-options.js';

type Fields = Record<string, string>;

const LEASE_MS = 30_000;
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
    groups: [{ name: 'shop', maxDeliveryAttempts: 1 }],
    ...options,
  });

async function clientOf(broker: EmbeddedBroker): Promise<RawRemotingClient> {
  const client = await RawRemotingClient.connect(broker.nameServerEndpoint);
  clients.push(client);
  return client;
}

const sendOf = (body: string, queueId = '0', properties: Fields = {}, topic = 'orders') => {
  const text = encodeProperties(Object.entries({ UNIQ_KEY: 'id', ...properties }));
  const letters = { a: 'pg', b: topic, c: 'TBW102', d: '4', e: queueId, f: '0', g: '5', h: '0', i: text, j: '0' };
  return { code: 310, fields: letters, body: Buffer.from(body) };
};

const popOf = (fields: Fields = {}) => {
  const where = { consumerGroup: 'shop', topic: 'orders', queueId: '-1', maxMsgNums: '32', initMode: '0' };
  const how = {
    invisibleTime: String(LEASE_MS),
    pollTime: '0',
    bornTime: '0',
    expType: 'TAG',
    exp: '*',
    order: 'false',
  };
  return { code: 200_050, fields: { ...where, ...how, ...fields } };
};

const textsOf = ({ body }: RemotingFrame): string[] => decodeStoredMessages(body).map((one) => String(one.body));

/** As a client builds it of the answer to its pop. */
const extraInfoOf = ({ fields }: RemotingFrame, queueId: number, offset: number): string => {
  const start = fields.startOffsetInfo
    ?.split(';')
    .find((one) => one.startsWith(`0 ${queueId} `))
    ?.split(' ')[2];
  return `${start} ${fields.popTime} ${fields.invisibleTime} ${fields.reviveQid} 0 broker-a ${queueId} ${offset}`;
};

const settleOf = (code: number, answer: RemotingFrame, queueId: number, offset: number, more: Fields = {}) => {
  const where = { consumerGroup: 'shop', topic: 'orders', queueId: String(queueId), offset: String(offset) };
  return { code, fields: { ...where, extraInfo: extraInfoOf(answer, queueId, offset), ...more } };
};

const ackOf = (answer: RemotingFrame, queueId: number, offset: number) => settleOf(200_051, answer, queueId, offset);

const changeOf = (answer: RemotingFrame, queueId: number, offset: number, more: Fields) =>
  settleOf(200_053, answer, queueId, offset, more);

describe('a pop', () => {
  it('hands out what all queues have, with what its client needs to settle it', async () => {
    const client = await clientOf(await started());
    await client.ask(sendOf('a'));
    await client.ask(sendOf('b', '1'));
    await client.ask(sendOf('c', '1'));
    const answer = await client.ask(popOf());
    expect(answer).toMatchObject({
      code: 0,
      remark: 'FOUND',
      fields: { invisibleTime: String(LEASE_MS), restNum: '0' },
    });
    expect(textsOf(answer).sort()).toEqual(['a', 'b', 'c']);
    expect(answer.fields.startOffsetInfo?.split(';').sort()).toEqual(['0 0 0', '0 1 0']);
    expect(answer.fields.msgOffsetInfo?.split(';').sort()).toEqual(['0 0 0', '0 1 0,1']);
    expect((await client.ask(popOf())).code).toBe(210);
  });

  it('takes from one queue when it names one, up to its number, and by its filter', async () => {
    const client = await clientOf(await started());
    for (const [body, queue] of [
      ['a', '0'],
      ['b', '1'],
      ['c', '1'],
    ] as const) {
      await client.ask(sendOf(body, queue, { TAGS: body }));
    }
    expect(textsOf(await client.ask(popOf({ queueId: '1', maxMsgNums: '1' })))).toEqual(['b']);
    expect(textsOf(await client.ask(popOf({ queueId: '1', exp: 'x || c' })))).toEqual(['c']);
    expect(textsOf(await client.ask(popOf({ expType: 'SQL92', exp: "TAGS = 'a'" })))).toEqual(['a']);
  });

  it('waits for a message, and for no longer than it says', async () => {
    const broker = await started();
    const client = await clientOf(broker);
    const producer = await clientOf(broker);
    const waiting = client.ask(popOf({ pollTime: '60000' }));
    const info = { code: 200_055, fields: { consumerGroup: 'shop', topic: 'orders', queueId: '-1' } };
    await until(async () => (await producer.ask(info)).fields.pollingNum === '1');
    await producer.ask(sendOf('a'));
    expect(textsOf(await waiting)).toEqual(['a']);
    expect((await client.ask(popOf({ pollTime: '50' }))).code).toBe(210);
    const late = await client.ask(popOf({ bornTime: '1', pollTime: '50' }));
    expect(late).toMatchObject({ code: 210, remark: expect.stringContaining('timeout too much') });
  });

  it('ends with the message by which it is large', async () => {
    const client = await clientOf(await started());
    for (const letter of ['a', 'b', 'c']) await client.ask(sendOf(letter.repeat(200_000)));
    expect(decodeStoredMessages((await client.ask(popOf())).body)).toHaveLength(2);
    expect(decodeStoredMessages((await client.ask(popOf())).body)).toHaveLength(1);
  });

  it('names the request that nobody can answer', async () => {
    const client = await clientOf(await started());
    const codeOf = async (fields: Fields): Promise<number> => (await client.ask(popOf(fields))).code;
    expect(await codeOf({ maxMsgNums: '33' })).toBe(29);
    expect(await codeOf({ topic: 'unknown' })).toBe(17);
    expect(await codeOf({ queueId: '2' })).toBe(29);
    expect(await codeOf({ consumerGroup: 'unknown' })).toBe(26);
    expect(await codeOf({ expType: 'SQL92', exp: 'a >' })).toBe(23);
    expect(await codeOf({ invisibleTime: '-1' })).toBe(29);
    expect(await codeOf({ invisibleTime: '9007199254740991' })).toBe(29);
    expect(await codeOf({ pollTime: 'never' })).toBe(210);
  });

  it('is looked at in advance, which hands nothing out', async () => {
    const client = await clientOf(await started());
    for (const [index, body] of ['a', 'b', 'c'].entries()) await client.ask(sendOf(body, String(index % 2)));
    const peek = (fields: Fields = {}) => {
      const where = { consumerGroup: 'shop', topic: 'orders', queueId: '-1', maxMsgNums: '32' };
      return client.ask({ code: 200_052, fields: { ...where, ...fields } });
    };
    const found = await peek();
    expect(found).toMatchObject({ code: 0, remark: 'FOUND', fields: { popTime: '0', restNum: '3' } });
    expect(textsOf(found)).toEqual(['a', 'c', 'b']);
    const [one, other] = [await peek({ maxMsgNums: '1' }), await peek({ queueId: '1' })];
    expect([textsOf(one), one.fields.restNum]).toEqual([['a'], '3']);
    expect([textsOf(other), other.fields.restNum]).toEqual([['b'], '1']);
    await client.ask(popOf({ maxMsgNums: '2' }));
    expect(textsOf(await peek())).toEqual(['b']);
    await client.ask(popOf());
    expect(await peek()).toMatchObject({ code: 19, remark: 'NO_MESSAGE_IN_QUEUE', fields: { restNum: '0' } });
    expect((await peek({ queueId: '9' })).code).toBe(29);
    expect((await peek({ topic: 'nothing' })).code).toBe(17);
  });

  it('is asked for without being done', async () => {
    const client = await clientOf(await started());
    const fields = { consumerGroup: 'shop', topic: 'orders', queueId: '-1', pollTime: '50', bornTime: '0' };
    expect((await client.ask({ code: 200_054, fields })).fields.hasMsg).toBe('false');
    await client.ask(sendOf('a'));
    expect((await client.ask({ code: 200_054, fields })).fields.hasMsg).toBe('true');
    expect(textsOf(await client.ask(popOf()))).toEqual(['a']);
    expect((await client.ask({ code: 200_054, fields })).fields.hasMsg).toBe('false');
  });
});

describe('what was popped', () => {
  it('is redelivered with a count when its time is over, however often: its consumer gives it up, not the broker', async () => {
    const clock = new ManualClock(1_000_000);
    const client = await clientOf(await started({ clock }));
    await client.ask(sendOf('a'));
    for (const count of [0, 1, 2]) {
      const [stored] = decodeStoredMessages((await client.ask(popOf())).body);
      expect(stored?.reconsumeTimes).toBe(count);
      expect(stored?.properties.get('ORIGIN_GROUP')).toBe(count === 0 ? undefined : 'shop');
      expect(stored?.properties.get('1ST_POP_TIME')).toBe(count === 0 ? undefined : '1000000');
      clock.advanceTo(clock.nowMs() + LEASE_MS);
    }
  });

  it('is settled one by one, and together', async () => {
    const clock = new ManualClock(1_000_000);
    const client = await clientOf(await started({ clock }));
    for (let number = 0; number < 20; number++) await client.ask(sendOf(String(number)));
    const popped = await client.ask(popOf());
    expect((await client.ask(ackOf(popped, 0, 3))).code).toBe(0);
    const bits = Buffer.from([0b1111_0111, 0xff, 0b0101]);
    const ack = { c: 'shop', t: 'orders', r: '0', so: 0, q: 0, rq: Number(popped.fields.reviveQid), pt: 0, it: 0 };
    const body = JSON.stringify({ brokerName: 'broker-a', acks: [{ ...ack, b: bits.toString('base64') }] });
    expect((await client.ask({ code: 200_151, body: Buffer.from(body) })).code).toBe(0);
    clock.advanceTo(clock.nowMs() + LEASE_MS);
    expect(textsOf(await client.ask(popOf()))).toEqual(['17', '19']);
  });

  it('is settled by a request of limited size, which says when it is not', async () => {
    const client = await clientOf(await started());
    const codeOf = async (value: unknown) =>
      (await client.ask({ code: 200_151, body: Buffer.from(JSON.stringify(value)) })).code;
    const bits = Buffer.alloc(64 * 1024 + 1, 1).toString('base64');
    expect(
      await codeOf({ acks: [{ c: 'shop', t: 'orders', r: '0', so: 0, q: 0, rq: 0, pt: 0, it: 0, b: bits }] }),
    ).toBe(1);
    expect(await codeOf({ acks: [] })).toBe(208);
    expect(await codeOf({ acks: [{ c: 'shop', t: 'orders', q: -1, so: 'x', b: [1] }] })).toBe(0);
    expect(await codeOf([])).toBe(1);
  });

  it('is not settled by the handle of an earlier delivery, whose answer does not show it', async () => {
    const clock = new ManualClock(1_000_000);
    const client = await clientOf(await started({ clock }));
    await client.ask(sendOf('a'));
    const first = await client.ask(popOf());
    clock.advanceTo(clock.nowMs() + LEASE_MS);
    await client.ask(popOf());
    expect((await client.ask(ackOf(first, 0, 0))).code).toBe(0);
    expect((await client.ask(changeOf(first, 0, 0, { invisibleTime: '0' }))).code).toBe(208);
    expect((await client.ask(ackOf(first, 0, 1))).code).toBe(208);
    clock.advanceTo(clock.nowMs() + LEASE_MS);
    expect(textsOf(await client.ask(popOf()))).toEqual(['a']);
  });

  it('stays invisible for as long as a change says, and the answer has what settles it then', async () => {
    const clock = new ManualClock(1_000_000);
    const client = await clientOf(await started({ clock }));
    await client.ask(sendOf('a'));
    await client.ask(sendOf('b'));
    const popped = await client.ask(popOf());
    const changed = await client.ask(changeOf(popped, 0, 0, { invisibleTime: '60000' }));
    expect(changed).toMatchObject({ code: 0, fields: { popTime: '1000000', invisibleTime: '60000' } });
    await client.ask(changeOf(popped, 0, 1, { invisibleTime: '1000', suspend: 'true' }));
    clock.advanceTo(clock.nowMs() + 1_000);
    const [stored] = decodeStoredMessages((await client.ask(popOf())).body);
    expect(stored).toMatchObject({ queueOffset: 1, reconsumeTimes: 0 });
    expect(
      (await client.ask(ackOf({ ...changed, fields: { ...changed.fields, startOffsetInfo: '0 0 0' } }, 0, 0))).code,
    ).toBe(0);
    clock.advanceTo(clock.nowMs() + 60_000);
    expect(textsOf(await client.ask(popOf()))).toEqual(['b']);
  });

  it('keeps its count as a dead letter', async () => {
    const clock = new ManualClock(1_000_000);
    const client = await clientOf(await started({ clock }));
    await client.ask(sendOf('a'));
    await client.ask(popOf());
    clock.advanceTo(clock.nowMs() + LEASE_MS);
    const popped = await client.ask(popOf());
    const [stored] = decodeStoredMessages(popped.body);
    const fields = { offset: String(stored?.commitLogOffset), group: 'shop', delayLevel: '-1', originTopic: 'orders' };
    expect((await client.ask({ code: 36, fields: { ...fields, maxReconsumeTimes: '0' } })).code).toBe(0);
    await client.ask(ackOf(popped, 0, 0));
    const [dead] = decodeStoredMessages((await client.ask(popOf({ topic: '%DLQ%shop' }))).body);
    expect(dead).toMatchObject({ topic: '%DLQ%shop', reconsumeTimes: 2 });
    expect(dead?.properties.get('RETRY_TOPIC')).toBe('orders');
  });

  it('survives a restart of the broker, and so does what settles it', async () => {
    const broker = await started();
    const first = await clientOf(broker);
    await first.ask(sendOf('a'));
    const popped = await first.ask(popOf());
    await broker.stop();
    await broker.start();
    const client = await clientOf(broker);
    expect((await client.ask(popOf())).code).toBe(210);
    const changed = await client.ask(changeOf(popped, 0, 0, { invisibleTime: '0' }));
    expect(changed.code).toBe(0);
    await until(async () => textsOf(await client.ask(popOf()))[0] === 'a');
  });
});

describe('a pop in order', () => {
  const ordered = { order: 'true' };

  it('gets nothing more of a queue until what it holds is settled, and counts what it gets again', async () => {
    const client = await clientOf(await started());
    for (const body of ['a', 'b', 'c']) await client.ask(sendOf(body));
    const popped = await client.ask(popOf({ ...ordered, maxMsgNums: '2' }));
    expect(textsOf(popped)).toEqual(['a', 'b']);
    expect(popped.fields.orderCountInfo).toBe('0 0 0');
    expect((await client.ask(popOf(ordered))).code).toBe(210);
    await client.ask(ackOf(popped, 0, 0));
    expect((await client.ask(popOf(ordered))).code).toBe(210);
    await client.ask(changeOf(popped, 0, 1, { invisibleTime: '0' }));
    let again = popped;
    await until(async () => {
      again = await client.ask(popOf(ordered));
      return again.code === 0;
    });
    expect(textsOf(again)).toEqual(['b', 'c']);
    expect(again.fields.orderCountInfo).toBe('0 qo0%1 1;0 0 0');
  });

  it('brings the same for the same attempt id', async () => {
    const client = await clientOf(await started());
    await client.ask(sendOf('a'));
    const fields = { ...ordered, attemptId: 'one' };
    expect(textsOf(await client.ask(popOf(fields)))).toEqual(['a']);
    expect((await client.ask(popOf({ ...fields, attemptId: 'two' }))).code).toBe(210);
    expect(textsOf(await client.ask(popOf(fields)))).toEqual(['a']);
  });
});

describe('a pop of lite topics', () => {
  const liteBroker = () =>
    started({
      topics: [{ name: 'chats', type: 'lite', queues: 2 }],
      groups: [{ name: 'shop', lite: { topic: 'chats', exclusive: true } }],
    });
  const subscribeOf = (clientId: string, action: string, liteTopicSet: string[]) => {
    const entry = { action, clientId, group: 'shop', topic: 'chats', liteTopicSet, version: 0 };
    return { code: 200_071, body: Buffer.from(JSON.stringify({ subscriptionSet: [entry] })) };
  };
  const litePopOf = (clientId: string, fields: Fields = {}) => {
    const where = { clientId, consumerGroup: 'shop', topic: 'chats', maxMsgNum: '32' };
    return { code: 200_070, fields: { ...where, invisibleTime: '30000', pollTime: '0', bornTime: '0', ...fields } };
  };

  it('brings those that the client subscribes to, which it settles by their names', async () => {
    const client = await clientOf(await liteBroker());
    expect((await client.ask(subscribeOf('c', 'PARTIAL_ADD', ['one']))).code).toBe(0);
    for (const liteTopic of ['one', 'two']) {
      const sent = await client.ask(sendOf(`of ${liteTopic}`, '0', { __LITE_TOPIC: liteTopic }, 'chats'));
      expect(sent.code).toBe(0);
    }
    const popped = await client.ask(litePopOf('c'));
    expect(textsOf(popped)).toEqual(['of one']);
    expect(popped.fields.orderCountInfo).toBe('0');
    const [stored] = decodeStoredMessages(popped.body);
    expect(stored?.topic).toBe('chats');
    expect(stored?.properties.get('INNER_MULTI_DISPATCH')).toBe('%LMQ%$chats$one');
    expect(stored?.properties.get('INNER_MULTI_QUEUE_OFFSET')).toBe('0');
    await client.ask(sendOf('more', '0', { __LITE_TOPIC: 'one' }, 'chats'));
    expect((await client.ask(litePopOf('c'))).code).toBe(210);
    const { popTime, invisibleTime, reviveQid } = popped.fields;
    const extraInfo = `0 ${popTime} ${invisibleTime} ${reviveQid} 0 broker-a 0 0`;
    const where = { consumerGroup: 'shop', topic: 'chats', queueId: '0', offset: '0', liteTopic: 'one' };
    expect((await client.ask({ code: 200_051, fields: { ...where, extraInfo } })).code).toBe(0);
    expect(textsOf(await client.ask(litePopOf('c')))).toEqual(['more']);
  });

  it('loses a lite topic that another client of an exclusive group takes', async () => {
    const broker = await liteBroker();
    const [one, other] = [await clientOf(broker), await clientOf(broker)];
    await one.ask(subscribeOf('one', 'COMPLETE_ADD', ['a']));
    await other.ask(subscribeOf('other', 'PARTIAL_ADD', ['a']));
    await until(() => one.requests.length > 0);
    expect(one.requests).toMatchObject([
      { code: 200_073, isOneWay: true, fields: { liteTopic: 'a', consumerGroup: 'shop' } },
    ]);
    await other.ask(sendOf('x', '0', { __LITE_TOPIC: 'a' }, 'chats'));
    expect((await one.ask(litePopOf('one'))).code).toBe(210);
    expect(textsOf(await other.ask(litePopOf('other')))).toEqual(['x']);
  });
});

describe('an assignment by the broker', () => {
  const heartbeatOf = (clientID: string) => {
    const consumerDataSet = [{ groupName: 'shop', consumeType: 'CONSUME_PASSIVELY', subscriptionDataSet: [] }];
    return { code: 34, body: Buffer.from(JSON.stringify({ clientID, producerDataSet: [], consumerDataSet })) };
  };
  const queuesFor = async (client: RawRemotingClient, clientId: string, more = {}): Promise<unknown> => {
    const named = { topic: 'orders', consumerGroup: 'shop', clientId, strategyName: 'AVG', messageModel: 'CLUSTERING' };
    const { code, body } = await client.ask({ code: 400, body: Buffer.from(JSON.stringify({ ...named, ...more })) });
    expect(code).toBe(0);
    const { messageQueueAssignments } = JSON.parse(String(body));
    return messageQueueAssignments?.map(
      ({ mode, messageQueue }: { mode: string; messageQueue: { queueId: number } }) => {
        return `${mode} ${messageQueue.queueId}`;
      },
    );
  };

  it('divides the queues among the consumers that pull, and gives all of them to each that pops', async () => {
    const broker = await started();
    const [a, b] = [await clientOf(broker), await clientOf(broker)];
    await a.ask(heartbeatOf('a'));
    await b.ask(heartbeatOf('b'));
    expect(await queuesFor(a, 'a')).toEqual(['PULL 0']);
    expect(await queuesFor(b, 'b', { strategyName: 'AVG_BY_CIRCLE' })).toEqual(['PULL 1']);
    expect(await queuesFor(b, 'b', { strategyName: 'own' })).toBeUndefined();
    expect(await queuesFor(b, 'b', { messageModel: 'BROADCASTING' })).toEqual(['PULL 0', 'PULL 1']);
    const mode = { topic: 'orders', consumerGroup: 'shop', mode: 'POP', popShareQueueNum: 0 };
    expect((await a.ask({ code: 401, body: Buffer.from(JSON.stringify(mode)) })).code).toBe(0);
    expect(await queuesFor(a, 'a')).toEqual(['POP -1']);
    expect(
      (await a.ask({ code: 401, body: Buffer.from(JSON.stringify({ ...mode, topic: '%RETRY%shop' })) })).code,
    ).toBe(16);
    expect((await a.ask({ code: 401, body: Buffer.from('[]') })).code).toBe(1);
  });
});

describe('a user', () => {
  const users = [
    {
      accessKey: 'app',
      secretKey: 'secret',
      permissions: [
        { resource: 'Topic:orders', actions: ['Pub', 'Sub'] as const },
        { resource: 'Group:shop', actions: ['Sub', 'Get'] as const },
      ],
    },
  ];
  const signed = ({ code, fields = {}, body }: { code: number; fields?: Fields; body?: Buffer }) => {
    const all: Fields = { ...fields, AccessKey: 'app' };
    const values = Object.keys(all)
      .sort()
      .map((name) => all[name]);
    const hmac = createHmac('sha1', 'secret').update(values.join(''));
    return { code, fields: { ...all, Signature: hmac.update(body ?? '').digest('base64') }, ...(body && { body }) };
  };
  const json = (code: number, value: unknown) => ({ code, body: Buffer.from(JSON.stringify(value)) });

  it('pops and settles what its permissions say', async () => {
    const client = await clientOf(await started({ users, topics: [{ name: 'orders' }, { name: 'secrets' }] }));
    const codeOf = async (request: Parameters<typeof signed>[0]) => (await client.ask(signed(request))).code;
    expect((await client.ask(popOf())).code).toBe(16);
    expect(await codeOf(sendOf('a'))).toBe(0);
    const popped = await client.ask(signed(popOf()));
    expect(textsOf(popped)).toEqual(['a']);
    expect(await codeOf(changeOf(popped, 0, 0, { invisibleTime: '1000' }))).toBe(0);
    expect(await codeOf(ackOf(popped, 0, 0))).toBe(0);
    expect(await codeOf({ code: 352, fields: { group: 'shop' } })).toBe(0);
    const rejected = [
      popOf({ topic: 'secrets' }),
      popOf({ consumerGroup: 'others' }),
      json(200_151, { acks: [{ c: 'shop', t: 'secrets', q: 0, so: 0, rq: 0, b: 'AQ==' }] }),
      json(200_071, { subscriptionSet: [{ action: 'PARTIAL_ADD', clientId: 'c', group: 'others', topic: 'orders' }] }),
      json(400, { topic: 'secrets', consumerGroup: 'shop' }),
      json(401, { topic: 'orders', consumerGroup: 'shop', mode: 'POP' }),
      { code: 351, fields: { topic: 'orders' } },
    ];
    expect(await Promise.all(rejected.map(codeOf))).toEqual(rejected.map(() => 16));
  });
});
