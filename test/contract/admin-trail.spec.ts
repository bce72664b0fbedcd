import { describe, expect } from '@jest/globals';
import type { MessageTrail } from 'nestjs-rocketmq/admin';
import { isBefore, seemsBefore } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { buried } from './support/dead-letters.js';
import type { World } from './support/world.js';

const contract = contractSuite();

/** The trail of a message, once it is complete: the server's index and positions lag slightly behind. */
async function trailOf(
  world: World,
  topic: string,
  messageId: string,
  isComplete: (trail: MessageTrail) => boolean,
): Promise<MessageTrail> {
  const read = () => world.admin().messageTrail({ topic, messageId });
  await world.until('the trail is complete', async () => isComplete(await read()));
  const trail = await read();
  expect(trail).toMatchObject({ topic, messageId, mayBeMore: false, failures: [] });
  const delays = isBefore('5.3.1') ? [expect.objectContaining({ consumerGroup: undefined })] : [];
  expect(trail.gaps).toEqual(delays);
  return trail;
}

describe('the trail of a message', () => {
  contract('has its copy, and for each group whether it has read past it', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const { messageId } = await producer.send({ topic, body: 'x', keys: ['k'] });
    const [ahead, behind] = [await world.group(), await world.group()];
    const recorder = await world.record({ topic, consumerGroup: ahead });
    await world.until('one group has it', () => recorder.deliveries.length === 1);
    const consumer = await world.simpleConsumer(topic, behind);
    const trail = await trailOf(world, topic, messageId, ({ groups }) => {
      return groups.length === 2 && groups.some(({ copies }) => copies.some(({ isPassed }) => isPassed));
    });
    expect(trail).toMatchObject({ halfMessages: [], givenUp: [], delayed: [], recalls: [] });
    expect(trail.stored).toMatchObject([{ topic, messageId, keys: ['k'] }]);
    expect(trail.groups.map(({ mayBeMore }) => mayBeMore)).toEqual([false, false]);
    const passed = trail.groups.map(({ consumerGroup, copies, retries, deadLetters }) => {
      return [consumerGroup, copies.map(({ isPassed }) => isPassed), retries, deadLetters];
    });
    expect(new Map(passed.map(([group, ...rest]) => [group, rest]))).toEqual(
      new Map([
        [ahead, [[true], [], []]],
        [behind, [[false], [], []]],
      ]),
    );
    const one = await world.admin().messageTrail({ topic, messageId, consumerGroups: [behind] });
    expect(one.groups.map(({ consumerGroup }) => consumerGroup)).toEqual([behind]);
    await consumer.close();
  });

  contract('has each redelivery, and the dead letter with its replay', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await world.group({ maxDeliveryAttempts: 3 });
    const [messageId = ''] = await buried(world, consumerGroup, [{ topic, body: 'poison' }], 3);
    const groupOf = ({ groups }: MessageTrail) => groups.find((one) => one.consumerGroup === consumerGroup);
    const trail = await trailOf(world, topic, messageId, (one) => groupOf(one)?.deadLetters.length === 1);
    const { copies, retries, deadLetters } = groupOf(trail) ?? { copies: [], retries: [], deadLetters: [] };
    expect(copies).toMatchObject([{ isPassed: true }]);
    expect(retries.slice(0, 2)).toMatchObject([
      { attempt: 2, isPassed: true, messageId },
      { attempt: 3, isPassed: true, messageId },
    ]);
    // Older brokers do not name the group.
    const origin = isBefore('5.4.0') ? undefined : consumerGroup;
    expect(retries.map(({ systemProperties }) => systemProperties.ORIGIN_GROUP)).toEqual(retries.map(() => origin));
    expect(retries.map(({ body }) => body.toString())).toEqual(retries.map(() => 'poison'));
    expect(deadLetters).toMatchObject([{ topic: `%DLQ%${consumerGroup}`, messageId }]);
    const times = [...trail.stored, ...retries.slice(0, 2), ...deadLetters].map((one) => one.storeTimestampMs);
    expect(times).toEqual([...times].sort((left, right) => left - right));
    expect(retries[0]?.firstReceivedMs).toBeLessThanOrEqual(retries[0]?.storeTimestampMs ?? 0);
    await world.admin().replayDeadLetters(consumerGroup);
    const after = await trailOf(world, topic, messageId, ({ stored }) => stored.length === 2);
    expect(groupOf(after)?.deadLetters).toHaveLength(1);
  });

  contract('has the newest copies of a message that was stored often, and says that there are more', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await world.group({ maxDeliveryAttempts: 1 });
    const [messageId = ''] = await buried(world, consumerGroup, [{ topic, body: 'poison' }], 1);
    const admin = world.admin();
    for (let copies = 1; copies < 36; copies++) await admin.replayDeadLetters(consumerGroup, { again: true });
    const read = () => admin.messageTrail({ topic, messageId });
    const isReplayed = ({ properties }: { properties: object }) => 'DEAD_LETTER_REPLAY' in properties;
    await world.until('the newest copies are found', async () => {
      const { stored } = await read();
      return stored.length === 32 && stored.every(isReplayed);
    });
    const { mayBeMore, groups } = await read();
    const own = groups.find((one) => one.consumerGroup === consumerGroup);
    expect([mayBeMore, own?.mayBeMore]).toEqual([true, false]);
  });

  contract('of a transaction begins with its half message', async (world) => {
    const topic = await world.topic('transaction');
    const producer = await world.producer({ transactionCheckers: { [topic]: async () => 'commit' as const } });
    let messageId = '';
    await producer.transact({ message: { topic, body: 'x' } }, async () => {});
    const recorder = await world.record({ topic });
    await world.until('it came', () => recorder.deliveries.length === 1);
    messageId = recorder.deliveries[0]?.message.messageId ?? '';
    const trail = await trailOf(world, topic, messageId, ({ stored }) => stored.length === 1);
    expect(trail.halfMessages.map((one) => [one.messageId, one.body.toString()])).toEqual([[messageId, 'x']]);
    expect(trail.halfMessages[0]?.storeTimestampMs).toBeLessThanOrEqual(trail.stored[0]?.storeTimestampMs ?? 0);
  });

  const withDelayed = seemsBefore('5.3.2') ? null : contract;
  withDelayed?.('of a delayed message has its delay, and its cancellation', async (world) => {
    const topic = await world.topic('delay');
    const producer = await world.producer();
    const { messageId, recallHandle = '' } = await producer.send({ topic, body: 'x', delayMs: 8_000 });
    const trail = await trailOf(world, topic, messageId, ({ delayed }) => delayed.length === 1);
    expect(trail).toMatchObject({ delayed: [{ messageId, originTopic: topic }], recalls: [], stored: [] });
    await producer.recall({ topic, recallHandle });
    const after = await trailOf(world, topic, messageId, ({ recalls }) => recalls.length === 1);
    expect(after).toMatchObject({ delayed: [{ messageId }], stored: [] });
  });

  contract('is empty for a message that does not exist', async (world) => {
    const topic = await world.topic();
    const admin = world.admin();
    const nothing = {
      mayBeMore: false,
      halfMessages: [],
      givenUp: [],
      delayed: [],
      recalls: [],
      stored: [],
      groups: [],
      failures: [],
    };
    await expect(admin.messageTrail({ topic, messageId: 'no-such' })).resolves.toMatchObject(nothing);
    await expect(admin.messageTrail({ topic, messageId: ' ' })).rejects.toMatchObject({ code: 'ILLEGAL_QUERY' });
  });
});
