import { describe, expect } from '@jest/globals';
import { type DeadLetterView, REPLAY_PROPERTY } from 'nestjs-rocketmq/admin';
import { contractSuite } from './support/contract.js';
import type { SendMessage } from './support/dead-letters.js';
import { buried } from './support/dead-letters.js';
import { texts, type World } from './support/world.js';

const contract = contractSuite();

const bodiesOf = (deadLetters: readonly DeadLetterView[]): string[] => deadLetters.map(({ body }) => body.toString());

async function group(world: World, fifo = false): Promise<string> {
  return world.group({ maxDeliveryAttempts: 1, fifo });
}

describe('dead letters', () => {
  contract('are none when there are none, or no such group', async (world) => {
    const nothing = { deadLetters: [], next: undefined, total: 0, failures: [] };
    await expect(world.admin().listDeadLetters(await group(world))).resolves.toEqual(nothing);
    await expect(world.admin().listDeadLetters(world.name())).resolves.toEqual(nothing);
  });

  contract('are found by the groups that have a queue of them, also when the group was deleted', async (world) => {
    const topic = await world.topic();
    const [first, second, none] = [await group(world), await group(world), await group(world)];
    for (const consumerGroup of [first, second]) await buried(world, consumerGroup, [{ topic, body: 'x' }]);
    const admin = world.admin();
    await admin.deleteGroup(second);
    const { consumerGroups, failures } = await admin.listDeadLetterQueues();
    expect(consumerGroups.filter((one) => [first, second, none].includes(one))).toEqual([first, second].sort());
    expect(consumerGroups).toEqual([...consumerGroups].sort());
    expect(failures).toEqual([]);
  });

  contract('are listed with their original topic and all properties', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await group(world);
    const sent: SendMessage = { topic, body: 'poison', tag: 't', keys: ['k1', 'k2'], properties: { user: 'Ada' } };
    const [messageId] = await buried(world, consumerGroup, [sent]);
    const page = await world.admin().listDeadLetters(consumerGroup);
    expect(page).toMatchObject({ next: undefined, total: 1, failures: [] });
    expect(page.deadLetters).toMatchObject([
      {
        consumerGroup,
        originTopic: topic,
        topic: `%DLQ%${consumerGroup}`,
        messageId,
        tag: 't',
        keys: ['k1', 'k2'],
        properties: { user: 'Ada' },
        queueId: 0,
        queueOffset: 0,
      },
    ]);
    expect(bodiesOf(page.deadLetters)).toEqual(['poison']);
  });

  contract('keep their original topic when they were delivered before they were dead-lettered', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await world.group({ maxDeliveryAttempts: 2 });
    await buried(world, consumerGroup, [{ topic, body: 'x' }], 2);
    const { deadLetters } = await world.admin().listDeadLetters(consumerGroup);
    expect(deadLetters).toMatchObject([{ originTopic: topic }]);
  });

  contract('come page by page, and are not consumed by reading', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await group(world);
    const bodies = ['a', 'b', 'c', 'd', 'e'];
    await buried(
      world,
      consumerGroup,
      bodies.map((body) => ({ topic, body })),
    );
    const admin = world.admin();
    for (let round = 0; round < 2; round++) {
      const first = await admin.listDeadLetters(consumerGroup, { limit: 2 });
      const second = await admin.listDeadLetters(consumerGroup, { limit: 2, after: first.next });
      const third = await admin.listDeadLetters(consumerGroup, { limit: 2, after: second.next });
      expect([first, second, third].map(({ deadLetters }) => deadLetters.length)).toEqual([2, 2, 1]);
      expect([first.total, second.next === undefined, third.next]).toEqual([5, false, undefined]);
      const all = [first, second, third].flatMap(({ deadLetters }) => bodiesOf(deadLetters));
      expect(all.sort()).toEqual(bodies);
    }
  });
});

describe('dead letters that are replayed', () => {
  contract('come to their topic as they were, as a first attempt', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await group(world);
    const sent: SendMessage = { topic, body: 'poison', tag: 't', keys: ['k1', 'k2'], properties: { user: 'Ada' } };
    const [messageId] = await buried(world, consumerGroup, [sent]);
    const result = await world.admin().replayDeadLetters(consumerGroup);
    expect(result).toMatchObject({ replayedBefore: [], failed: [], next: undefined, failures: [] });
    expect(result.replayed).toMatchObject([{ topic, deadLetter: { messageId } }]);
    const recorder = await world.record({ topic, consumerGroup });
    await world.until('it came', () => recorder.deliveries.length === 1);
    const [delivery] = recorder.deliveries;
    expect(delivery).toMatchObject({ text: 'poison', attempt: 1 });
    expect(delivery?.message).toMatchObject({
      topic,
      messageId,
      tag: 't',
      keys: ['k1', 'k2'],
      properties: { user: 'Ada', [REPLAY_PROPERTY]: `${consumerGroup}/${result.replayed[0]?.broker}/0/0` },
      queueId: result.replayed[0]?.queueId,
      queueOffset: result.replayed[0]?.queueOffset,
    });
  });

  contract('are left alone the next time, unless they are to be sent again', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await group(world);
    await buried(world, consumerGroup, [{ topic, body: 'x' }]);
    const admin = world.admin();
    await admin.replayDeadLetters(consumerGroup);
    await world.until('the index knows it', async () => {
      const { deadLetters } = await admin.listDeadLetters(consumerGroup);
      const { messages } = await admin.findMessages({ topic, messageId: deadLetters[0]?.messageId ?? '' });
      return messages.length === 2;
    });
    const second = await admin.replayDeadLetters(consumerGroup);
    expect(second).toMatchObject({ replayed: [], replayedBefore: [{ originTopic: topic }], next: undefined });
    const third = await admin.replayDeadLetters(consumerGroup, { again: true });
    expect(third).toMatchObject({ replayed: [{ topic }], replayedBefore: [] });
  });

  contract('are left alone behind more copies of their message than a server returns at once', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await group(world);
    await buried(world, consumerGroup, [{ topic, body: 'x' }]);
    const admin = world.admin();
    await admin.replayDeadLetters(consumerGroup);
    await buried(world, consumerGroup, [], 1, topic);
    const isSecond = ({ queueOffset }: DeadLetterView): boolean => queueOffset === 1;
    for (let count = 0; count < 40; count++) {
      // An index knows the second in which it was stored.
      if (count % 20 === 0) await world.backend.advance(2_000);
      const { replayed } = await admin.replayDeadLetters(consumerGroup, { again: true, select: isSecond });
      expect(replayed).toHaveLength(1);
    }
    await world.until('the index knows them', async () => {
      const { replayedBefore } = await admin.planReplay(consumerGroup);
      return replayedBefore.length === 2;
    });
    await expect(admin.replayDeadLetters(consumerGroup)).resolves.toMatchObject({ replayed: [], failed: [] });
  });

  contract('that die again can be replayed again', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await group(world);
    await buried(world, consumerGroup, [{ topic, body: 'x' }]);
    const admin = world.admin();
    await admin.replayDeadLetters(consumerGroup);
    await buried(world, consumerGroup, [], 1, topic);
    const { deadLetters } = await admin.listDeadLetters(consumerGroup);
    expect(deadLetters.map(({ originTopic }) => originTopic)).toEqual([topic, topic]);
    const { replayed } = await admin.replayDeadLetters(consumerGroup);
    expect(replayed.map(({ deadLetter }) => deadLetter.queueOffset)).toEqual([1]);
  });

  contract('are only those that are selected', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await group(world);
    await buried(
      world,
      consumerGroup,
      ['a', 'b', 'c'].map((body) => ({ topic, body })),
    );
    const select = async ({ body }: DeadLetterView): Promise<boolean> => body.toString() === 'b';
    const { planned } = await world.admin().planReplay(consumerGroup, { select });
    const { replayed } = await world.admin().replayDeadLetters(consumerGroup, { select });
    for (const all of [planned, replayed]) expect(bodiesOf(all.map(({ deadLetter }) => deadLetter))).toEqual(['b']);
  });

  contract(
    'for their group alone are handled by no other one, while what an application sends on is',
    async (world) => {
      const [topic, further] = [await world.topic(), await world.topic()];
      const consumerGroup = await group(world);
      await buried(world, consumerGroup, [{ topic, body: 'x' }]);
      const others = await world.group();
      const other = await world.record({ topic, consumerGroup: others });
      await world.until('the other group has it', () => other.deliveries.length === 1);
      await world.admin().replayDeadLetters(consumerGroup, { onlyThisGroup: true });
      const producer = await world.producer();
      const ofGroup = await world.record({
        topic,
        consumerGroup,
        handle: async ({ message: { body, messageId, properties } }) => {
          await producer.send({ topic: further, body, properties, messageId });
        },
      });
      const sentOn = await world.record({ topic: further });
      await world.until('its group has it', () => ofGroup.deliveries.length === 1);
      await world.until('another group has what was sent on', () => sentOn.deliveries.length === 1);
      await producer.send({ topic, body: 'next' });
      await world.until('the other group has the next one', () => texts(other.deliveries).includes('next'));
      await world.until('the other group has settled all', async () => {
        return (await world.admin().groupLag(others, { topic })).lag === 0;
      });
      expect(texts(other.deliveries)).toEqual(['x', 'next']);
    },
  );

  contract('of a message group come in the order of their queue', async (world) => {
    const topic = await world.topic('fifo');
    const consumerGroup = await group(world, true);
    const bodies = ['a', 'b', 'c'];
    await buried(
      world,
      consumerGroup,
      bodies.map((body) => ({ topic, body, messageGroup: 'order-12345' })),
    );
    const { replayed } = await world.admin().replayDeadLetters(consumerGroup);
    const found = await world.admin().listDeadLetters(consumerGroup);
    expect(bodiesOf(found.deadLetters)).toEqual(bodies);
    const receipt = await (await world.producer()).send({ topic, body: 'd', messageGroup: 'order-12345' });
    const recorder = await world.record({ topic, consumerGroup });
    await world.until('all came', () => recorder.deliveries.length === 4);
    expect(texts(recorder.deliveries)).toEqual([...bodies, 'd']);
    expect(new Set(recorder.deliveries.map(({ message }) => message.queueId)).size).toBe(1);
    expect(recorder.deliveries.map(({ message }) => message.messageGroup)).toEqual(Array(4).fill('order-12345'));
    expect([replayed.length, receipt.messageId === '']).toEqual([3, false]);
  });

  contract('of a delayed message come without a delay', async (world) => {
    const topic = await world.topic('delay');
    const consumerGroup = await group(world);
    await buried(world, consumerGroup, [{ topic, body: 'x', delayMs: 2_000 }]);
    await world.admin().replayDeadLetters(consumerGroup);
    const recorder = await world.record({ topic, consumerGroup });
    await world.until('it came', () => recorder.deliveries.length === 1);
    expect(texts(recorder.deliveries)).toEqual(['x']);
  });

  contract('are reported as failed when their topic was deleted, and do not create it again', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await group(world);
    await buried(world, consumerGroup, [{ topic, body: 'x' }]);
    const admin = world.admin();
    await admin.deleteTopic(topic);
    const result = await admin.replayDeadLetters(consumerGroup);
    expect(result).toMatchObject({ replayed: [], failed: [{ error: { code: 'ORIGIN_GONE', outcome: 'not-sent' } }] });
    await expect(admin.describeTopic(topic)).resolves.toBeUndefined();
  });
});

describe('a replay page by page', () => {
  contract('ends with the dead letters that were there when it began, though they fail again', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await group(world);
    const ids = await buried(
      world,
      consumerGroup,
      ['a', 'b'].map((body) => ({ topic, body })),
    );
    const admin = world.admin();
    const first = await admin.replayDeadLetters(consumerGroup, { limit: 1 });
    await buried(world, consumerGroup, [], 1, topic);
    const second = await admin.replayDeadLetters(consumerGroup, { after: JSON.parse(JSON.stringify(first.next)) });
    const replayed = [...first.replayed, ...second.replayed].map(({ deadLetter }) => deadLetter.messageId);
    expect(replayed.sort()).toEqual(ids.sort());
    expect(second).toMatchObject({ next: undefined, failures: [] });
    await expect(admin.listDeadLetters(consumerGroup)).resolves.toMatchObject({ total: 3 });
  });
});

describe('a position of dead letters', () => {
  contract('is rejected in a queue that is not there, and behind the end, whoever begins there', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await group(world);
    await buried(world, consumerGroup, [{ topic, body: 'a' }]);
    const admin = world.admin();
    const [one] = (await admin.listDeadLetters(consumerGroup)).deadLetters;
    const [broker, queueId] = [one?.broker, one?.queueId];
    const before = await admin.topicOffsets(topic);
    const nobody = world.name();
    for (const [after, problem] of [
      ['nobody/0/0', `has no queue 0 on a broker "nobody"; it has ${broker}/${queueId}`],
      [`${broker}/99/0`, `has no queue 99 on a broker "${broker}"`],
      [`${broker}/${queueId}/2`, 'ends at 1'],
    ] as const) {
      const rejected = { code: 'ILLEGAL_POSITION', field: 'after', message: expect.stringContaining(problem) };
      const called = [
        admin.listDeadLetters(consumerGroup, { after }),
        admin.exportDeadLetters(consumerGroup, { after }),
        admin.planReplay(consumerGroup, { after }),
        admin.replayDeadLetters(consumerGroup, { after }),
        admin.browseMessages(`%DLQ%${consumerGroup}`, { after }),
      ];
      for (const call of called) await expect(call).rejects.toMatchObject(rejected);
    }
    for (const after of [`${broker}/${queueId}/0`, `${broker}/${queueId}/1`])
      await expect(admin.planReplay(consumerGroup, { after })).resolves.toMatchObject({ next: undefined });
    await expect(admin.planReplay(nobody, { after: `${broker}/0/0` })).rejects.toThrow('it has none on any broker');
    expect(await admin.topicOffsets(topic)).toEqual(before);
  });
});

describe('dead letters that were exported', () => {
  contract('are sent as they were when their queue is gone, and once', async (world) => {
    const topic = await world.topic('fifo');
    const consumerGroup = await group(world, true);
    const sent: SendMessage = { topic, body: 'x'.repeat(10_000), tag: 't', keys: ['k'], properties: { user: 'Ada' } };
    const [messageId] = await buried(world, consumerGroup, [{ ...sent, messageGroup: 'order-1' }]);
    const admin = world.admin();
    const page = await admin.exportDeadLetters(consumerGroup);
    expect(page).toMatchObject({ exported: [{ consumerGroup, messageId, originTopic: topic }], next: undefined });
    const exported = JSON.parse(JSON.stringify(page.exported));
    await admin.deleteTopic(`%DLQ%${consumerGroup}`);
    await expect(admin.planReplay(consumerGroup, { exported })).resolves.toMatchObject({ planned: [{ topic }] });
    await expect(admin.replayDeadLetters(consumerGroup, { exported })).resolves.toMatchObject({
      replayed: [{ topic, deadLetter: { messageId } }],
      failed: [],
      next: undefined,
    });
    const recorder = await world.record({ topic, consumerGroup });
    await world.until('it came', () => recorder.deliveries.length === 1);
    expect(recorder.deliveries[0]).toMatchObject({
      text: sent.body,
      attempt: 1,
      message: { messageId, tag: 't', keys: ['k'], properties: { user: 'Ada' }, messageGroup: 'order-1' },
    });
    await world.until('the index knows it', async () => {
      const { planned, replayedBefore } = await admin.planReplay(consumerGroup, { exported });
      return planned.length === 0 && replayedBefore.length === 1;
    });
    await expect(admin.replayDeadLetters(consumerGroup, { exported })).resolves.toMatchObject({ replayed: [] });
  });
});

describe('the plan of a replay', () => {
  contract('names what would be sent, where, and who would receive it, and sends nothing', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await group(world);
    const [first, second] = await buried(
      world,
      consumerGroup,
      ['a', 'b'].map((body) => ({ topic, body })),
    );
    const admin = world.admin();
    const other = await world.group();
    const consumer = await world.simpleConsumer(topic, other);
    await world.until('both groups are known', async () => {
      return (await admin.groupsOfTopic(topic)).consumerGroups.length === 2;
    });
    const before = await admin.topicOffsets(topic);
    const planned = [first, second].map((messageId) => {
      return { topic, consumerGroups: [consumerGroup, other].sort(), deadLetter: { messageId } };
    });
    const byId = <T extends { deadLetter: { messageId: string } }>(all: readonly T[]): T[] =>
      [...all].sort((left, right) => left.deadLetter.messageId.localeCompare(right.deadLetter.messageId));
    const plan = await admin.planReplay(consumerGroup);
    expect(byId(plan.planned)).toMatchObject(byId(planned as never));
    expect(plan).toMatchObject({ replayedBefore: [], failed: [], next: undefined, failures: [] });
    const { deadLetters } = await admin.listDeadLetters(consumerGroup);
    await expect(admin.planReplayOf(deadLetters)).resolves.toEqual(plan);
    expect(await admin.topicOffsets(topic)).toEqual(before);
    const select = ({ messageId }: DeadLetterView): boolean => messageId === first;
    expect((await admin.planReplay(consumerGroup, { select })).planned).toHaveLength(1);
    await admin.replayDeadLetters(consumerGroup, { select });
    await world.until('the index knows it', async () => {
      return (await admin.planReplay(consumerGroup)).replayedBefore.length === 1;
    });
    expect(await admin.planReplay(consumerGroup)).toMatchObject({ planned: [{ deadLetter: { messageId: second } }] });
    expect((await admin.planReplay(consumerGroup, { again: true })).planned).toHaveLength(2);
    await consumer.close();
    await admin.deleteTopic(topic);
    const gone = { error: { code: 'ORIGIN_GONE', outcome: 'not-sent' } };
    expect(await admin.planReplay(consumerGroup)).toMatchObject({
      planned: [],
      replayedBefore: [],
      failed: [gone, gone],
    });
  });
});
