import { describe, expect } from '@jest/globals';
import type { RewindTarget } from 'nestjs-rocketmq/admin';
import { contractSuite } from './support/contract.js';
import type { World } from './support/world.js';

const contract = contractSuite();

/** A topic with messages, and a group that has consumed all of them. */
async function consumed(world: World, bodies: readonly string[]) {
  const topic = await world.topic();
  const group = await world.group();
  const producer = await world.producer();
  for (const body of bodies) await producer.send({ topic, body });
  const recorder = await world.record({ topic, consumerGroup: group });
  await world.until('all are consumed', () => recorder.deliveries.length === bodies.length);
  await recorder.consumer.close();
  const admin = world.admin();
  // The server reports the position of a group to tools with a short delay.
  await world.until('the group stands at the end', async () => {
    const { topics } = await admin.groupLag(group, { topic });
    return topics.length > 0 && topics[0]?.lag === 0;
  });
  return { topic, group, admin };
}

describe('the description of a topic', () => {
  contract('returns the first and the last offset of its queues', async (world) => {
    const { topic, admin } = await consumed(world, ['a', 'b', 'c']);
    const { queues, total, failures } = await admin.topicOffsets(topic);
    expect({ total, failures, queues: queues.length }).toEqual({ total: 3, failures: [], queues: 8 });
    expect(queues.map(({ queueId }) => queueId)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    const newest = Math.max(...queues.map(({ lastTimestampMs = 0 }) => lastTimestampMs));
    expect(Math.abs(newest - world.nowMs())).toBeLessThan(60_000);
    expect(await admin.topicOffsets(world.name())).toMatchObject({ queues: [], total: 0 });
  });

  contract('reads its messages page by page, and consumes none', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    for (const body of ['a', 'b', 'c']) await producer.send({ topic, body, tag: 't' });
    const admin = world.admin();
    const first = await admin.browseMessages(topic, { limit: 2 });
    const second = await admin.browseMessages(topic, { limit: 2, after: first.next });
    const all = [...first.messages, ...second.messages];
    expect(all.map(({ body }) => body.toString()).sort()).toEqual(['a', 'b', 'c']);
    expect(first.total).toBe(3);
    expect(second.next).toBeUndefined();
    expect(all[0]).toMatchObject({ topic, tag: 't' });
    await expect(admin.browseMessages(topic, { limit: 0 })).rejects.toMatchObject({ code: 'ILLEGAL_LIMIT' });
    await expect(admin.browseMessages(topic, { after: 'x' })).rejects.toMatchObject({ code: 'ILLEGAL_POSITION' });
  });
});

describe('the plan of a rewind', () => {
  contract('is what the rewind then does, and changes nothing', async (world) => {
    const { topic, group, admin } = await consumed(world, ['a', 'b', 'c', 'd']);
    const before = await admin.groupLag(group, { topic });
    const targets: RewindTarget[] = [
      { kind: 'beginning' },
      { kind: 'time', time: new Date(world.nowMs() - 3_600_000) },
    ];
    for (const to of targets) {
      const plan = await admin.planRewind({ consumerGroup: group, topic, to });
      expect(await admin.groupLag(group, { topic })).toEqual(before);
      const stands = before.topics[0]?.queues.map(({ queueId, consumerOffset }) => [queueId, consumerOffset]);
      const from = new Map(plan.map((move) => [move.queueId, move.from]));
      for (const [queueId, offset] of stands ?? [])
        expect([queueId, from.get(Number(queueId))]).toEqual([queueId, offset]);
      const done = await admin.rewindGroup({ consumerGroup: group, topic, to });
      expect(plan.map(({ broker, queueId, to: offset }) => ({ broker, queueId, offset }))).toEqual(done);
      await admin.rewindGroup({ consumerGroup: group, topic, to: { kind: 'end' } });
    }
  });

  contract('of one queue rejects a queue and an offset that are not there', async (world) => {
    const { topic, group, admin } = await consumed(world, ['a']);
    const [queue] = (await admin.topicOffsets(topic)).queues;
    const { broker = '' } = queue ?? {};
    const plan = (queueId: number, offset: number) =>
      admin.planRewind({ consumerGroup: group, topic, to: { kind: 'offset', broker, queueId, offset } });
    expect(await plan(0, 0)).toMatchObject([{ broker, queueId: 0, to: 0 }]);
    await expect(plan(99, 0)).rejects.toMatchObject({ code: 'UNKNOWN_QUEUE' });
    await expect(plan(0, 99)).rejects.toMatchObject({ code: 'ILLEGAL_OFFSET' });
    const nowhere = admin.planRewind({ consumerGroup: group, topic: world.name(), to: { kind: 'end' } });
    await expect(nowhere).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' });
  });
});

describe('the cluster', () => {
  contract('returns the time of the broker', async (world) => {
    const { brokers, failures } = await world.admin().brokerClocks();
    expect({ failures, count: brokers.length }).toEqual({ failures: [], count: 1 });
    const [{ aheadMs = Number.NaN, errorMs } = { errorMs: 0 }] = brokers;
    const expected = world.nowMs() - Date.now();
    expect(Math.abs(aheadMs - expected)).toBeLessThanOrEqual(errorMs + 250);
  });

  contract('has given up no half message when all were ended', async (world) => {
    const page = await world.admin().givenUpHalfMessages({ limit: 1 });
    expect(page.failures).toEqual([]);
    expect(page.messages.length).toBe(Number(page.total > 0));
  });
});
