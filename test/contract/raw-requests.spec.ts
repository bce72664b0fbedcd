// What tools and clients of other languages ask a broker by the remoting protocol, and this client does not.

import { describe, expect } from '@jest/globals';
import { REQUEST_CODES as CODES, RESPONSE_CODES } from '../../libs/rocketmq/src/protocol/remoting/codes.js';
import type { ObjectKeyedMap } from '../../libs/rocketmq/src/protocol/remoting/java-json.js';
import { decodeProperties } from '../../libs/rocketmq/src/protocol/remoting/stored-message.js';
import { jsonOf } from '../../libs/rocketmq/src/remoting/answers.js';
import { RawRemotingClient } from '../../tools/wire/raw-remoting-client.js';
import { heartbeatOf, popOf, pullOf, sendOf, subscribed, textsOf } from '../../tools/wire/remoting-requests.js';
import { testTransport } from '../fixtures/transport.js';
import { isBefore, NotHere } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { type Ask, atBroker } from './support/raw-store.js';
import type { World } from './support/world.js';

const contract = contractSuite();

const BODIES = ['a', 'b', 'c'];

/** Stores the messages in queues 0 and 1 in turn, and waits until they can be read. */
async function store(world: World, ask: Ask, topic: string): Promise<void> {
  for (const [index, body] of BODIES.entries()) await ask(sendOf({ topic, body, fields: { e: String(index % 2) } }));
  const admin = world.admin();
  await world.until('all can be read', async () => (await admin.topicOffsets(topic)).total === BODIES.length);
}

/** What the positions of all groups (317) say of one group, queue by queue. */
async function positionsOf(ask: Ask, group: string, isOrder: boolean) {
  const answer = await ask({ code: CODES.getBrokerConsumeStats, fields: { isOrder: String(isOrder) } });
  const { consumeStatsList } = jsonOf(answer) as {
    consumeStatsList: Record<string, { offsetTable: ObjectKeyedMap }[]>[];
  };
  const topics = consumeStatsList.find((one) => group in one)?.[group];
  return topics?.flatMap(({ offsetTable }) => offsetTable.pairs) as [{ queueId: number }, object][] | undefined;
}

describe('by the remoting protocol', () => {
  contract('a peek shows what a group has never received, and hands nothing out', async (world) => {
    if (isBefore('5.0.0')) throw new NotHere('it came with 5.0.0, as POP did');
    const [topic, consumerGroup] = [await world.topic(), await world.group()];
    await world.begin(consumerGroup, [topic]);
    await atBroker(world, topic, async (ask) => {
      await store(world, ask, topic);
      const all = { consumerGroup, topic, queueId: '-1', maxMsgNums: '32' };
      const peek = (fields = {}) => ask({ code: CODES.peekMessage, fields: { ...all, ...fields } });

      const noLease = { popTime: '0', invisibleTime: '0', reviveQid: '0' };
      for (const found of [await peek(), await peek()]) {
        expect(found).toMatchObject({ code: 0, remark: 'FOUND', fields: { ...noLease, restNum: '3' } });
        expect(textsOf(found).sort()).toEqual(BODIES);
      }
      const [one, ofQueue] = [await peek({ maxMsgNums: '1' }), await peek({ queueId: '1' })];
      expect([textsOf(one).length, one.fields.restNum]).toEqual([1, '3']);
      expect([textsOf(ofQueue), ofQueue.fields.restNum]).toEqual([['b'], '1']);

      const held = textsOf(await ask(popOf({ ...all, maxMsgNums: '2' })));
      const others = BODIES.filter((body) => !held.includes(body));
      await world.until('what was popped is left out', async () => {
        return (
          textsOf(await peek())
            .sort()
            .join() === others.join()
        );
      });
      await world.until('nothing is left', async () => {
        await ask(popOf(all));
        return (await peek()).code === RESPONSE_CODES.pullNotFound;
      });
      expect(await peek()).toMatchObject({ remark: 'NO_MESSAGE_IN_QUEUE', fields: { ...noLease, restNum: '0' } });
      expect((await peek({ queueId: '9' })).remark).toContain('queueId[9] is illegal');
      expect((await peek({ topic: world.name() })).code).toBe(RESPONSE_CODES.topicNotExist);
    });
  });

  contract(
    'a group that may not broadcast is rejected when it does, unless a pull has its own filter',
    async (world) => {
      const [topic, group] = [await world.topic(), world.name()];
      await atBroker(world, topic, async (ask) => {
        await store(world, ask, topic);
        const body = Buffer.from(JSON.stringify({ groupName: group, consumeBroadcastEnable: false }));
        expect((await ask({ code: CODES.updateAndCreateSubscriptionGroup, body })).code).toBe(0);
        const join = (messageModel: string) => ask(heartbeatOf(group, [subscribed(topic)], { group, messageModel }));
        const pull = (fields = {}) => ask(pullOf({ consumerGroup: group, topic, ...fields }));
        const withoutFilter = { sysFlag: '0' };

        expect((await join('BROADCASTING')).code).toBe(0);
        expect(await pull(withoutFilter)).toMatchObject({
          code: 16,
          remark: `the consumer group[${group}] can not consume by broadcast way`,
        });
        expect(textsOf(await pull())).toEqual(['a', 'c']);
        await join('CLUSTERING');
        expect(textsOf(await pull(withoutFilter))).toEqual(['a', 'c']);
      });
    },
  );

  contract('the positions of all groups are read at once', async (world) => {
    const [topic, group] = [await world.topic(), await world.group()];
    await atBroker(world, topic, async (ask) => {
      await store(world, ask, topic);
      const fields = { consumerGroup: group, topic, queueId: '0', commitOffset: '1' };
      expect((await ask({ code: CODES.updateConsumerOffset, fields })).code).toBe(0);
      const positions = await positionsOf(ask, group, false);
      const byQueue = positions?.sort(([one], [other]) => one.queueId - other.queueId);
      // It is in the answer, but not the one of the group; 5.0.0 and older brokers do not have it.
      const unasked = isBefore('5.1.4') ? {} : { pullOffset: 0 };
      expect(byQueue?.slice(0, 3)).toMatchObject([
        [
          { topic, queueId: 0 },
          { brokerOffset: 2, consumerOffset: 1, ...unasked },
        ],
        [
          { topic, queueId: 1 },
          { brokerOffset: 1, consumerOffset: 0, lastTimestamp: 0, ...unasked },
        ],
        [
          { topic, queueId: 2 },
          { brokerOffset: 0, consumerOffset: 0, lastTimestamp: 0, ...unasked },
        ],
      ]);
      expect(await positionsOf(ask, group, true)).toEqual([]);
    });
  });

  contract('the messages that a topic takes and a group is given are counted from the first one on', async (world) => {
    const [topic, consumerGroup] = [await world.topic(), await world.group()];
    const keys = { TOPIC_PUT_NUMS: topic, GROUP_GET_NUMS: `${topic}@${consumerGroup}` };
    await atBroker(world, topic, async (ask) => {
      const stats = (statsName: keyof typeof keys) =>
        ask({ code: CODES.viewBrokerStatsData, fields: { statsName, statsKey: keys[statsName] } });
      const sum = async (statsName: keyof typeof keys) =>
        (jsonOf(await stats(statsName)).statsMinute as { sum: number }).sum;
      for (const name of ['TOPIC_PUT_NUMS', 'GROUP_GET_NUMS'] as const) {
        expect(await stats(name)).toMatchObject({ code: 1, remark: `The stats <${name}> <${keys[name]}> not exist` });
      }

      await store(world, ask, topic);
      await ask(heartbeatOf(consumerGroup, [subscribed(topic)], { group: consumerGroup }));
      expect(textsOf(await ask(pullOf({ consumerGroup, topic })))).toEqual(['a', 'c']);
      // A server counts every ten seconds.
      await world.until('they are counted', async () => {
        return (await sum('TOPIC_PUT_NUMS')) === BODIES.length && (await sum('GROUP_GET_NUMS')) === 2;
      });
      expect(jsonOf(await stats('TOPIC_PUT_NUMS'))).toMatchObject({
        statsMinute: { avgpt: 1 },
        statsHour: {},
        statsDay: {},
      });
      expect(jsonOf(await stats('GROUP_GET_NUMS'))).toMatchObject({ statsHour: {}, statsDay: {} });
      const rates = jsonOf(await ask({ code: CODES.getConsumeStats, fields: { consumerGroup, topic } }));
      expect(Number(rates.consumeTps)).toBeGreaterThan(0);
      const puts = jsonOf(await ask({ code: CODES.getTopicStatsInfo, fields: { topic } }));
      if (!isBefore('5.3.3')) expect(Number(puts.topicPutTps)).toBeGreaterThan(0);
    });
  });

  contract('a position beyond the end of a queue is moved to it when the group pops', async (world) => {
    if (isBefore('5.3.3')) throw new NotHere('observed on 5.3.3 and newer');
    const [topic, consumerGroup] = [await world.topic(), await world.group()];
    await atBroker(world, topic, async (ask) => {
      const queue = { topic, consumerGroup, queueId: '0' };
      const position = async () => {
        return (await ask({ code: CODES.queryConsumerOffset, fields: queue })).fields.offset;
      };
      const pop = () => ask(popOf({ topic, consumerGroup }));
      await ask(sendOf({ topic, body: 'before' }));
      await world.until('the message can be read', async () => (await position()) === '0');
      const fields = { ...queue, commitOffset: '7' };
      expect((await ask({ code: CODES.updateConsumerOffset, fields })).code).toBe(0);
      expect(textsOf(await pop())).toEqual([]);
      await world.until('the group is at the end', async () => (await position()) === '1');
      await ask(sendOf({ topic, body: 'after' }));
      let texts: string[] = [];
      await world.until('the next message is popped', async () => {
        texts = textsOf(await pop());
        return texts.length > 0;
      });
      expect(texts).toEqual(['after']);
    });
  });

  contract('the type of a group is that of the consumer that came last', async (world) => {
    if (isBefore('5.0.0')) throw new NotHere('it came with 5.0.0, as POP did');
    const [topic, consumerGroup] = [await world.topic(), await world.group()];
    await atBroker(world, topic, async (ask) => {
      const type = async () => {
        const fields = { consumerGroup };
        return jsonOf(await ask({ code: CODES.getConsumerConnectionList, fields })).consumeType;
      };
      await world.record({ topic, consumerGroup });
      expect(await type()).toBe(testTransport === 'remoting' ? 'CONSUME_POP' : 'CONSUME_PASSIVELY');
      await world.simpleConsumer(topic, consumerGroup);
      expect(await type()).toBe(testTransport === 'remoting' ? 'CONSUME_POP' : 'CONSUME_ACTIVELY');
    });
  });

  contract('a reply is pushed to the producer that waits for it, and its sender learns whether', async (world) => {
    if (isBefore('4.6.0')) throw new NotHere('replies came with 4.6.0');
    const topic = 'DefaultCluster_REPLY_TOPIC';
    await atBroker(world, topic, async (ask, address) => {
      const producer = await RawRemotingClient.connect(address);
      try {
        const to = { REPLY_TO_CLIENT: world.name() };
        const reply = (properties: Record<string, string>) => {
          return ask({
            ...sendOf({ topic, body: 'hello', properties: { CORRELATION_ID: 'c', ...properties } }),
            code: 325,
          });
        };
        expect(await reply({})).toMatchObject({ code: 1, remark: 'reply message properties[REPLY_TO_CLIENT] is null' });
        const remark = `push reply message fail, channel of <${to.REPLY_TO_CLIENT}> not found.`;
        expect(await reply(to)).toMatchObject({ code: 1, remark });
        await producer.ask(heartbeatOf(to.REPLY_TO_CLIENT, [], { group: await world.group() }));

        producer.answers = () => ({ code: 0 });
        expect(await reply(to)).toMatchObject({ code: 0, fields: { queueId: '0', msgId: expect.any(String) } });
        const [pushed] = producer.requests.filter(({ code }) => code === 326);
        expect(pushed).toMatchObject({
          fields: { topic, producerGroup: 'pg', queueId: '0', bornTimestamp: '5', sysFlag: '0' },
        });
        expect(String(pushed?.body)).toBe('hello');
        const properties = Object.fromEntries(decodeProperties(pushed?.fields.properties ?? ''));
        expect(properties).toEqual({
          UNIQ_KEY: 'id',
          CORRELATION_ID: 'c',
          ...(isBefore('5.0.0') ? {} : { MSG_REGION: 'DefaultRegion', TRACE_ON: 'true' }),
          ...to,
          PUSH_REPLY_TIME: expect.stringMatching(/^\d{13}$/),
        });

        producer.answers = () => ({ code: 1 });
        expect(await reply(to)).toMatchObject({ code: 1, remark: expect.stringContaining('push reply message to') });
      } finally {
        producer.close();
      }
    });
  });
});
