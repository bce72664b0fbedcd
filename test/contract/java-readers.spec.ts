// What Java consumers and tools read of a broker: offsets, positions, and the properties that a broker adds.

import { describe, expect } from '@jest/globals';
import { HALF_TOPIC } from '../../libs/rocketmq/src/protocol/model/names.js';
import { REQUEST_CODES as CODES, RESPONSE_CODES } from '../../libs/rocketmq/src/protocol/remoting/codes.js';
import type { RemotingFrame } from '../../libs/rocketmq/src/protocol/remoting/frame.js';
import { decodeStoredMessages } from '../../libs/rocketmq/src/protocol/remoting/stored-message.js';
import { jsonOf } from '../../libs/rocketmq/src/remoting/answers.js';
import { HOUR_MS, SECOND_MS } from '../../libs/rocketmq/src/support/clock.js';
import { RawRemotingClient } from '../../tools/wire/raw-remoting-client.js';
import { heartbeatOf, popOf, pullOf, sendBackOf, sendOf, textsOf } from '../../tools/wire/remoting-requests.js';
import { isBefore, NotHere } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { type Ask, atBroker } from './support/raw-store.js';
import type { World } from './support/world.js';

const contract = contractSuite();

const LEASE_MS = 10 * SECOND_MS;

/** The messages in an answer. Numbers and times are those of the server. */
function messagesIn({ body }: RemotingFrame) {
  return decodeStoredMessages(body).map((one) => ({ ...one, properties: Object.fromEntries(one.properties) }));
}

/** The first message of a topic of the server's own, once it is there. */
async function firstIn(world: World, ask: Ask, topic: string) {
  let found: ReturnType<typeof messagesIn> = [];
  await world.until(`a message in ${topic}`, async () => {
    found = messagesIn(await ask(pullOf({ consumerGroup: 'TOOLS_CONSUMER', topic })));
    return found.length > 0;
  });
  return found[0] as (typeof found)[number];
}

/** The name of a broker, in its settings. */
function brokerOf({ body }: RemotingFrame): string {
  return /^brokerName=(.*)$/m.exec(String(body))?.[1]?.trim() ?? '';
}

describe('offsets, as Java clients ask for them', () => {
  contract('are 0 in a queue or topic that does not exist, which has no time and no position', async (world) => {
    if (isBefore('5.3.3')) throw new NotHere('observed on 5.3.3 and newer');
    const [topic, consumerGroup] = [await world.topic(), await world.group()];
    await atBroker(world, topic, async (ask) => {
      await ask(sendOf({ topic }));
      const places = [
        [topic, '99'],
        [topic, '-1'],
        [world.name(), '0'],
      ];
      for (const [name = '', queueId = ''] of places) {
        const fields = { topic: name, queueId };
        const offset = async (code: RemotingFrame['code'], more = {}) => {
          return await ask({ code, fields: { ...fields, ...more } });
        };
        const none = { code: 0, fields: { offset: '0' } };
        expect(await offset(CODES.getMaxOffset)).toMatchObject(none);
        expect(await offset(CODES.getMinOffset)).toMatchObject(none);
        const timestamp = String(world.nowMs() + HOUR_MS);
        expect(await offset(CODES.searchOffsetByTimestamp, { timestamp })).toMatchObject(none);
        expect(await offset(CODES.searchOffsetByTimestamp, { timestamp, boundaryType: 'upper' })).toMatchObject(none);
        expect(await offset(CODES.getEarliestMsgStoreTime)).toMatchObject({ code: 0, fields: { timestamp: '-1' } });
        const position = await offset(CODES.queryConsumerOffset, { consumerGroup });
        expect(position).toMatchObject({ code: RESPONSE_CODES.queryNotFound });
      }
    });
  });

  contract('below 0 are no position, and a client can ask whether there is one', async (world) => {
    if (isBefore('5.3.3')) throw new NotHere('observed on 5.3.3 and newer');
    const [topic, consumerGroup] = [await world.topic(), await world.group()];
    await atBroker(world, topic, async (ask) => {
      await ask(sendOf({ topic }));
      const queue = { topic, consumerGroup, queueId: '0' };
      const position = (more = {}) => ask({ code: CODES.queryConsumerOffset, fields: { ...queue, ...more } });
      const commit = (commitOffset: string) =>
        ask({ code: CODES.updateConsumerOffset, fields: { ...queue, commitOffset } });
      const isFound = { setZeroIfNotFound: 'false' };
      await world.until('the message can be read', async () => (await position()).code === 0);
      const none = { code: RESPONSE_CODES.queryNotFound };
      expect([await position(), await position(isFound)]).toMatchObject([{ fields: { offset: '0' } }, none]);
      expect((await commit('-1')).code).toBe(0);
      expect([await position(), await position(isFound)]).toMatchObject([{ fields: { offset: '0' } }, none]);
      expect((await commit('7')).code).toBe(0);
      expect([await position(), await position(isFound)]).toMatchObject([
        { fields: { offset: '7' } },
        { fields: { offset: '7' } },
      ]);
    });
  });
});

describe('a group that tools delete', () => {
  contract('keeps its offsets for a group of the same name, unless they are to go, too', async (world) => {
    if (isBefore('5.0.0')) throw new NotHere('4.x has another field for it');
    const [topic, consumerGroup] = [await world.topic(), await world.group()];
    await atBroker(world, topic, async (ask) => {
      for (const _ of [1, 2]) await ask(sendOf({ topic }));
      const queue = { topic, consumerGroup, queueId: '0' };
      const position = async () => {
        const fields = { ...queue, setZeroIfNotFound: 'false' };
        return (await ask({ code: CODES.queryConsumerOffset, fields })).fields.offset;
      };
      await ask({ code: CODES.updateConsumerOffset, fields: { ...queue, commitOffset: '1' } });
      const remove = (fields = {}) =>
        ask({ code: CODES.deleteSubscriptionGroup, fields: { groupName: consumerGroup, ...fields } });
      expect((await remove()).code).toBe(0);
      expect(await position()).toBe('1');
      await world.admin().createGroup({ consumerGroup });
      expect(await position()).toBe('1');
      expect((await remove({ cleanOffset: 'false' })).code).toBe(0);
      expect(await position()).toBe('1');
      expect((await remove({ cleanOffset: 'true' })).code).toBe(0);
      expect(await position()).toBeUndefined();
    });
  });

  contract('is given what it had not settled, when it is created again', async (world) => {
    if (isBefore('5.0.0')) throw new NotHere('POP came with 5.0.0');
    const [topic, consumerGroup] = [await world.topic(), await world.group()];
    await world.begin(consumerGroup, [topic]);
    await atBroker(world, topic, async (ask) => {
      for (const body of ['a', 'b']) await ask(sendOf({ topic, body }));
      const popped: string[] = [];
      const pop = async (invisibleTime: string) => {
        const found = await ask(popOf({ consumerGroup, topic, invisibleTime }));
        popped.push(...(found.body.length === 0 ? [] : textsOf(found)));
      };
      await world.until('both are held', async () => {
        await pop(String(LEASE_MS));
        return popped.length === 2;
      });
      await ask({ code: CODES.deleteSubscriptionGroup, fields: { groupName: consumerGroup, cleanOffset: 'false' } });
      await world.admin().createGroup({ consumerGroup });
      await world.until('they were redelivered', async () => {
        await world.backend.advance(SECOND_MS);
        await pop(String(HOUR_MS / 12));
        return popped.length === 4;
      });
      expect(popped.slice(2).sort()).toEqual(['a', 'b']);
    });
  });
});

describe('a pull, as Java clients make it', () => {
  contract('says whether its queue is empty, and is rejected for one that does not exist', async (world) => {
    if (isBefore('5.3.3')) throw new NotHere('observed on 5.3.3 and newer');
    const [topic, consumerGroup] = [await world.topic(), await world.group()];
    await atBroker(world, topic, async (ask) => {
      await ask(sendOf({ topic }));
      const pull = (fields: Record<string, string>) => ask(pullOf({ consumerGroup, topic, ...fields }));
      await world.until('the message can be read', async () => (await pull({})).code === 0);
      const [end, beyond] = [RESPONSE_CODES.pullNotFound, RESPONSE_CODES.pullOffsetMoved];
      expect(await pull({ queueOffset: '1' })).toMatchObject({ code: end, remark: 'OFFSET_OVERFLOW_ONE' });
      expect(await pull({ queueOffset: '2' })).toMatchObject({ code: beyond, remark: 'OFFSET_OVERFLOW_BADLY' });
      const empty = { remark: 'NO_MESSAGE_IN_QUEUE', fields: { nextBeginOffset: '0', maxOffset: '0' } };
      expect(await pull({ queueId: '1' })).toMatchObject({ code: end, ...empty });
      expect(await pull({ queueId: '1', queueOffset: '2' })).toMatchObject({ code: beyond, ...empty });
      for (const queueId of ['99', '-1']) {
        const rejection = await pull({ queueId });
        expect(rejection.code).toBe(RESPONSE_CODES.invalidParameter);
        expect(rejection.remark).toContain(`queueId[${queueId}] is illegal, topic:[${topic}]`);
      }
      const unknown = world.name();
      const remark = expect.stringContaining(`topic[${unknown}] not exist, apply first please!`);
      expect(await pull({ topic: unknown })).toMatchObject({ code: RESPONSE_CODES.topicNotExist, remark });
    });
  });
});

describe('dead letters, as Java clients read them', () => {
  contract('have the delay level 0 when a consumer sent them back', async (world) => {
    const [topic, group] = [await world.topic(), await world.group()];
    await atBroker(world, topic, async (ask) => {
      await ask(sendOf({ topic, properties: { DELAY_OF: 'x' } }));
      const { commitLogOffset } = await firstIn(world, ask, topic);
      const back = sendBackOf(commitLogOffset, -1);
      const answer = await ask({ ...back, fields: { ...back.fields, group, originTopic: topic } });
      expect(answer.code).toBe(0);
      const dead = await firstIn(world, ask, `%DLQ%${group}`);
      expect(dead).toMatchObject({
        reconsumeTimes: 1,
        properties: { DELAY: '0', WAIT: 'false', RETRY_TOPIC: topic, DELAY_OF: 'x' },
      });
      expect(dead.properties).toHaveProperty('ORIGIN_MESSAGE_ID');
    });
  });

  contract('have the delay level -1 when an ordered consumer sent them', async (world) => {
    if (isBefore('5.3.3')) throw new NotHere('4.9.7 leaves the level that the consumer sent');
    const [topic, group] = [await world.topic(), await world.group()];
    await atBroker(world, topic, async (ask) => {
      const own = { DELAY: '4', RETRY_TOPIC: topic, RECONSUME_TIME: '2', MAX_RECONSUME_TIMES: '1' };
      const retry = sendOf({ topic: `%RETRY%${group}`, properties: own, fields: { j: '2', l: '1' } });
      expect((await ask(retry)).code).toBe(0);
      const dead = await firstIn(world, ask, `%DLQ%${group}`);
      expect(dead).toMatchObject({ reconsumeTimes: 2, properties: { ...own, DELAY: '-1' } });
    });
  });
});

describe('a message that a consumer sends to the retry topic itself', () => {
  contract('is a dead letter after its last attempt, or if the consumer holds queues', async (world) => {
    if (isBefore('5.3.3')) throw new NotHere('4.9.7 goes by the attempts alone');
    const [topic, consumerGroup] = [await world.topic(), await world.group()];
    await atBroker(world, topic, async (ask) => {
      const body = async (name: string) => String((await firstIn(world, ask, name)).body);
      const retry = (text: string, attempts: string) => {
        const properties = { DELAY: '1', RETRY_TOPIC: topic };
        const fields = { j: attempts, l: '1' };
        return ask(sendOf({ topic: `%RETRY%${consumerGroup}`, body: text, properties, fields }));
      };
      expect((await retry('once more', '1')).code).toBe(0);
      await world.backend.advance(SECOND_MS);
      expect(await body(`%RETRY%${consumerGroup}`)).toBe('once more');

      const mqSet = [{ topic, brokerName: brokerOf(await ask({ code: CODES.getBrokerConfig })), queueId: 0 }];
      const lock = JSON.stringify({ consumerGroup, clientId: world.name(), mqSet });
      const { lockOKMQSet } = jsonOf(await ask({ code: CODES.lockBatchMq, body: Buffer.from(lock) }));
      expect(lockOKMQSet).toHaveLength(1);
      expect((await retry('ordered', '1')).code).toBe(0);
      expect(await body(`%DLQ%${consumerGroup}`)).toBe('ordered');
    });
  });
});

describe('delayed messages, as Java clients read them', () => {
  contract('have the times of their wait, and lose their delay with a retry by a level', async (world) => {
    if (isBefore('5.3.3')) throw new NotHere('observed on 5.5.0; brokers of 4.x have no timer');
    const [topic, group] = [await world.topic(), await world.group()];
    await atBroker(world, topic, async (ask) => {
      const sentAtMs = world.nowMs();
      await ask(sendOf({ topic, properties: { TIMER_DELAY_SEC: '2' } }));
      await world.backend.advance(3 * SECOND_MS);
      const { properties, commitLogOffset } = await firstIn(world, ask, topic);
      const { TIMER_OUT_MS: out, TIMER_ENQUEUE_MS: enqueued, TIMER_DEQUEUE_MS: dequeued } = properties;
      expect(properties).toMatchObject({ TIMER_DELAY_SEC: '2' });
      const times = [sentAtMs - SECOND_MS, Number(enqueued), Number(out), Number(dequeued)];
      expect(times).toEqual([...times].sort((one, other) => one - other));

      const back = sendBackOf(commitLogOffset, 1);
      await ask({ ...back, fields: { ...back.fields, group, originTopic: topic } });
      await world.backend.advance(SECOND_MS);
      const retry = await firstIn(world, ask, `%RETRY%${group}`);
      expect(retry.properties).toMatchObject({ DELAY: '1', TIMER_OUT_MS: out, TIMER_DEQUEUE_MS: dequeued });
      expect(retry.properties).not.toHaveProperty('TIMER_DELAY_SEC');
    });
  });
});

describe('a recall, as Java producers ask for it', () => {
  contract('needs its own topic, of whatever type, and a handle of this broker', async (world) => {
    if (isBefore('5.3.3')) throw new NotHere('recalling came with 5.3.2');
    const [topic, other] = [await world.topic(), await world.topic()];
    await atBroker(world, topic, async (ask) => {
      const dueMs = world.nowMs() + HOUR_MS;
      const sent = await ask(sendOf({ topic, properties: { TIMER_DELIVER_MS: String(dueMs) } }));
      const handle = sent.fields.recallHandle ?? '';
      const parts = Buffer.from(handle, 'base64url').toString().split(' ');
      const written = (...of: string[]) => Buffer.from(of.join(' ')).toString('base64url');
      const recall = (name: string, recallHandle = handle) =>
        ask({ code: CODES.recallMessage, fields: { producerGroup: 'pg', topic: name, recallHandle } });
      const rejected = (words: string) => {
        return { code: RESPONSE_CODES.illegalOperation, remark: expect.stringContaining(`recall failed, ${words}`) };
      };

      const [version = '', name = '', broker = '', , id = ''] = parts;
      expect(await recall(other)).toMatchObject(rejected('topic not match'));
      const unknown = world.name();
      expect(await recall(unknown)).toMatchObject({
        code: RESPONSE_CODES.topicNotExist,
        remark: expect.stringContaining(`recall failed, the topic[${unknown}] not exist`),
      });
      const past = String(world.nowMs() - SECOND_MS);
      expect(await recall(topic, written(version, name, broker, past, id))).toMatchObject(
        rejected('timestamp invalid'),
      );
      const foreign = written(version, name, 'another', String(dueMs), id);
      expect(await recall(topic, foreign)).toMatchObject(rejected('broker service not available'));
      for (const _ of [1, 2]) expect(await recall(topic)).toMatchObject({ code: 0, fields: { msgId: id } });
    });
  });
});

describe('a check, as Java producers receive it', () => {
  contract('names the topic and queue of its half message', async (world) => {
    const topic = await world.topic('transaction');
    await atBroker(world, topic, async (ask, address) => {
      const producer = await RawRemotingClient.connect(address);
      try {
        const group = await world.group();
        await producer.ask(heartbeatOf(world.name(), [], { group, producer: group }));
        const properties = { UNIQ_KEY: world.name(), TRAN_MSG: 'true', PGROUP: group };
        await ask(sendOf({ topic, properties, fields: { a: group, e: '1', g: String(world.nowMs()) } }));
        let message: ReturnType<typeof messagesIn>[number] | undefined;
        await world.until('it is checked', async () => {
          await world.backend.advance(SECOND_MS);
          const check = producer.requests.find(({ code }) => code === CODES.checkTransactionState);
          [message] = check === undefined ? [] : messagesIn(check);
          return message !== undefined;
        });
        expect(message).toMatchObject({
          topic,
          queueId: 1,
          properties: { REAL_TOPIC: topic, REAL_QID: '1', PGROUP: group, TRAN_MSG: 'true' },
        });

        // Tools ask for the route before they look for a message.
        const half = { topic: HALF_TOPIC, acceptStandardJsonOnly: 'true' };
        const { nameServer } = world.backend;
        const names = await RawRemotingClient.connect(nameServer.replace(/^name-server:/, ''));
        try {
          const { queueDatas } = jsonOf(await names.ask({ code: CODES.getRouteInfoByTopic, fields: half }));
          expect(queueDatas).toMatchObject([{ readQueueNums: 1 }]);
        } finally {
          names.close();
        }
        const found = await ask({
          code: CODES.queryMessage,
          fields: {
            topic: HALF_TOPIC,
            key: properties.UNIQ_KEY,
            maxNum: '32',
            beginTimestamp: '0',
            endTimestamp: '9223372036854775807',
            _UNIQUE_KEY_QUERY: 'true',
          },
        });
        expect(messagesIn(found)[0]).toMatchObject({ topic: HALF_TOPIC, properties: { REAL_TOPIC: topic } });
      } finally {
        producer.close();
      }
    });
  });
});
