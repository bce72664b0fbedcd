// How the servers deliver, request by request (PROTOCOL: receiving, retries, FIFO semantics).

import { describe, expect } from '@jest/globals';
import { type BackoffPolicy, deadLetterTopicOf, SECOND_MS } from 'nestjs-rocketmq/client';
import { toDuration } from '../../libs/rocketmq/src/protocol/grpc/duration.js';
import { consumerSettings, receiveRequest, resource } from '../../tools/wire/raw-grpc-client.js';
import { SERVER_SLACK_MS } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { messageOf } from './support/question.js';
import { LEASE_MS, RawConsumer, type Received } from './support/raw-consumer.js';
import type { RawMessage } from './support/raw-send.js';
import type { World } from './support/world.js';

const contract = contractSuite();

/** Sends messages with these ids, one after the other. */
async function sendAll(world: World, topic: string, ids: readonly string[], raw: RawMessage = {}): Promise<void> {
  const client = world.rawClient();
  for (const messageId of ids) {
    const { status } = await client.call('sendMessage', { messages: [messageOf(world, topic, { ...raw, messageId })] });
    if (status?.code !== 20_000) throw new Error(`send was rejected: ${status?.message}`);
  }
}

async function open(world: World, groupOptions: Parameters<World['group']>[0] = {}) {
  const topic = await world.topic();
  return RawConsumer.open(world, topic, await world.group(groupOptions));
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => `message-${index}`);
const ids = (received: readonly Received[]): string[] => received.map(({ id }) => id);
const attempts = (received: readonly Received[]): number[] => received.map(({ attempt }) => attempt);

describe('receiving', () => {
  contract('a poll that waits is answered as soon as a message comes', async (world) => {
    const consumer = await open(world);
    const startedAtMs = Date.now();
    const polling = consumer.receive({ longPollingTimeout: toDuration(20 * SECOND_MS) });
    await consumer.heartbeat();
    await sendAll(world, consumer.topic, ['woken']);
    expect(ids(await polling)).toEqual(['woken']);
    // Long before the poll would end by itself.
    expect(Date.now() - startedAtMs).toBeLessThan(10 * SECOND_MS);
  });

  contract('a receive takes from all queues, whichever queue it names', async (world) => {
    const consumer = await open(world);
    await sendAll(world, consumer.topic, numbered(16));
    const messageQueue = { ...receiveRequest(consumer.topic, consumer.group).messageQueue, id: 3 };
    const received = await consumer.receiveUntil(16, { messageQueue } as Parameters<RawConsumer['receive']>[0]);
    expect(ids(received).sort()).toEqual(numbered(16).sort());
    // Alternating, but not evenly on the real server.
    expect(new Set(received.map(({ queueId }) => queueId)).size).toBeGreaterThan(2);
  });

  contract('a receive brings 32 messages at most', async (world) => {
    const consumer = await open(world);
    await sendAll(world, consumer.topic, numbered(40));
    const all: Received[] = [];
    while (all.length < 40) {
      const batch = await consumer.receive({ batchSize: 100 });
      expect(batch.length).toBeLessThanOrEqual(32);
      expect(batch.length).toBeGreaterThan(0);
      all.push(...batch);
    }
    expect(new Set(ids(all)).size).toBe(40);
  });

  contract('an ordinary group has one assignment for all queues, an ordered one each queue', async (world) => {
    const topic = await world.topic();
    const assigned = async (group: string) => {
      const { assignments } = await world
        .rawClient()
        .call('queryAssignment', { topic: resource(topic), group: resource(group) });
      return assignments.map(({ messageQueue }) => messageQueue?.id);
    };
    expect(await assigned(await world.group())).toEqual([-1]);
    expect(await assigned(await world.group({ fifo: true }))).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  contract('settings contain the backoff of the group, of either kind', async (world) => {
    const settings = async (backoff: BackoffPolicy) => {
      const group = await world.group({ backoff, maxDeliveryAttempts: 5 });
      const { reply } = await world.rawClient().settle(consumerSettings(group));
      const settings = reply.command?.$case === 'settings' ? reply.command.value : undefined;
      return settings?.backoffPolicy;
    };
    expect(await settings({ kind: 'customized', nextMs: [SECOND_MS, 7 * SECOND_MS] })).toEqual({
      maxAttempts: 5,
      strategy: { $case: 'customizedBackoff', value: { next: [toDuration(SECOND_MS), toDuration(7 * SECOND_MS)] } },
    });
    expect(await settings({ kind: 'exponential', initialMs: SECOND_MS, maxMs: 60 * SECOND_MS, multiplier: 3 })).toEqual(
      {
        maxAttempts: 5,
        strategy: {
          $case: 'exponentialBackoff',
          value: { initial: toDuration(SECOND_MS), max: toDuration(60 * SECOND_MS), multiplier: 3 },
        },
      },
    );
  });

  contract('two messages with one id are two messages', async (world) => {
    const consumer = await open(world);
    await sendAll(world, consumer.topic, ['twin', 'twin']);
    expect(ids(await consumer.receiveUntil(2))).toEqual(['twin', 'twin']);
  });

  contract('a message that is released counts as an attempt, unless it was suspended', async (world) => {
    const consumer = await open(world);
    await sendAll(world, consumer.topic, ['m']);
    const [first] = (await consumer.receiveUntil(1)) as [Received];
    await consumer.change(first, 0, true);
    await world.backend.advanceDuringWork(SECOND_MS);
    const [second] = (await consumer.receiveUntil(1)) as [Received];
    await consumer.change(second, 0);
    await world.backend.advanceDuringWork(SECOND_MS);
    const [third] = (await consumer.receiveUntil(1)) as [Received];
    expect(attempts([first, second, third])).toEqual([1, 1, 2]);
  });
});

describe('leases of a consumer', () => {
  contract('are not freed when its connection is lost', async (world) => {
    const consumer = await open(world);
    await sendAll(world, consumer.topic, ['m']);
    await consumer.receiveUntil(1, { invisibleDuration: toDuration(15 * SECOND_MS) });
    consumer.client.close();
    const other = await RawConsumer.open(world, consumer.topic, consumer.group);
    expect(await other.receive()).toEqual([]);
    await world.backend.advanceDuringWork(15 * SECOND_MS);
    expect(attempts(await other.receiveUntil(1))).toEqual([2]);
  });

  contract('last as long as it lives when the server renews them, and the first handle stays good', async (world) => {
    const consumer = await open(world);
    await sendAll(world, consumer.topic, ['m']);
    const [received] = (await consumer.receiveUntil(1, { autoRenew: true, invisibleDuration: undefined })) as [
      Received,
    ];
    for (let passedMs = 0; passedMs < 75 * SECOND_MS; passedMs += 5 * SECOND_MS) {
      await world.backend.advanceDuringWork(5 * SECOND_MS);
      await consumer.heartbeat();
    }
    expect(await consumer.receive()).toEqual([]);
    expect(await consumer.ack(received)).toBe('OK');
  });

  contract('end soon after its goodbye when the server renewed them', async (world) => {
    const consumer = await open(world);
    await sendAll(world, consumer.topic, ['m']);
    await consumer.receiveUntil(1, { autoRenew: true, invisibleDuration: undefined });
    // The real server registers a renewal after it has answered.
    await world.backend.advanceDuringWork(SECOND_MS);
    await consumer.notifyTermination();
    const other = await RawConsumer.open(world, consumer.topic, consumer.group);
    await world.backend.advanceDuringWork(2 * SECOND_MS);
    expect(attempts(await other.receiveUntil(1))).toEqual([2]);
  });
});

describe('dead letters', () => {
  const readDeadLetters = async (world: World, group: string): Promise<Received[]> => {
    const reader = await RawConsumer.open(world, deadLetterTopicOf(group), await world.group());
    return reader.receiveUntil(1);
  };

  contract('the receive after the last attempt finds nothing, and the message is a dead letter', async (world) => {
    const consumer = await open(world, { maxDeliveryAttempts: 2 });
    await sendAll(world, consumer.topic, ['poison'], { tag: 'a', keys: ['k'], properties: { p: 'q' } });
    for (const attempt of [1, 2]) {
      const [received] = (await consumer.receiveUntil(1)) as [Received];
      expect(received.attempt).toBe(attempt);
      await consumer.change(received, 0);
      await world.backend.advanceDuringWork(SECOND_MS);
    }
    expect(await consumer.receive()).toEqual([]);
    const [dead] = (await readDeadLetters(world, consumer.group)) as [Received];
    expect(dead).toMatchObject({ id: 'poison', attempt: 4 });
    expect(dead.message).toMatchObject({
      topic: { name: deadLetterTopicOf(consumer.group) },
      userProperties: { p: 'q' },
      systemProperties: { tag: 'a', keys: ['k'] },
    });
  });

  contract('a message can be made a dead letter when its lease has ended', async (world) => {
    const consumer = await open(world);
    await sendAll(world, consumer.topic, ['late']);
    const [received] = (await consumer.receiveUntil(1)) as [Received];
    await world.backend.advanceDuringWork(LEASE_MS + SERVER_SLACK_MS);
    expect(await consumer.forward(received)).toBe('OK');
    expect(await readDeadLetters(world, consumer.group)).toMatchObject([{ id: 'late', attempt: 2 }]);
  });
});

describe('an ordered group', () => {
  const openOrdered = async (world: World) => {
    const topic = await world.topic('fifo');
    return RawConsumer.open(world, topic, await world.group({ fifo: true }));
  };
  const sendOrdered = (world: World, topic: string, names: readonly string[], messageGroup = 'order-1') =>
    sendAll(world, topic, names, { messageType: 2, messageGroup });

  contract('gets nothing more of a queue until all that it holds of it is settled', async (world) => {
    const consumer = await openOrdered(world);
    await sendOrdered(world, consumer.topic, ['a', 'b', 'c']);
    const held = await consumer.receiveUntil(2, { batchSize: 2, invisibleDuration: toDuration(60 * SECOND_MS) });
    expect(ids(held)).toEqual(['a', 'b']);
    await consumer.ack(held[0] as Received);
    expect(await consumer.receive()).toEqual([]);
    await consumer.ack(held[1] as Received);
    expect(ids(await consumer.receiveUntil(1))).toEqual(['c']);
  });

  contract('gets all from the first unsettled message on again, also what it acknowledged', async (world) => {
    const consumer = await openOrdered(world);
    await sendOrdered(world, consumer.topic, ['a', 'b', 'c']);
    const [first, , third] = (await consumer.receiveUntil(3)) as [Received, Received, Received];
    expect(await consumer.ack(first)).toBe('OK');
    expect(await consumer.ack(third)).toBe('OK');
    await world.backend.advanceDuringWork(LEASE_MS + SERVER_SLACK_MS);
    const again = await consumer.receiveUntil(2);
    expect(ids(again)).toEqual(['b', 'c']);
    expect(attempts(again)).toEqual([2, 2]);
    await consumer.ack(...again);
  });

  contract('gets the same messages again for the same attempt id, at once and not counted', async (world) => {
    const consumer = await openOrdered(world);
    await sendOrdered(world, consumer.topic, ['a', 'b']);
    const lease = { invisibleDuration: toDuration(60 * SECOND_MS) };
    const first = await consumer.receiveUntil(2, { ...lease, attemptId: 'one' });
    const repeat = await consumer.receive({ ...lease, attemptId: 'one' });
    expect(ids(repeat)).toEqual(['a', 'b']);
    expect(attempts(repeat)).toEqual([1, 1]);
    expect(repeat.map(({ handle }) => handle)).not.toEqual(first.map(({ handle }) => handle));
    expect(await consumer.receive({ ...lease, attemptId: 'two' })).toEqual([]);
    expect(await consumer.ack(...repeat)).toBe('OK');
    await sendOrdered(world, consumer.topic, ['c']);
    expect(ids(await consumer.receiveUntil(1, { attemptId: 'two' }))).toEqual(['c']);
  });

  contract('pays with an attempt for a message that it releases, suspended or not', async (world) => {
    const consumer = await openOrdered(world);
    await sendOrdered(world, consumer.topic, ['a']);
    const [first] = (await consumer.receiveUntil(1)) as [Received];
    await consumer.change(first, 0, true);
    await world.backend.advanceDuringWork(SECOND_MS);
    expect(attempts(await consumer.receiveUntil(1))).toEqual([2]);
  });

  contract('finds each message group in the queue that its hash says', async (world) => {
    const consumer = await openOrdered(world);
    // PROTOCOL: queue selection, vectors for 8 queues.
    const queues = { a: 0, g1: 6, 'group-1': 7, 'order-12345': 4 };
    for (const messageGroup of Object.keys(queues)) {
      await sendOrdered(world, consumer.topic, [messageGroup], messageGroup);
    }
    const received = await consumer.receiveUntil(4);
    expect(Object.fromEntries(received.map(({ id, queueId }) => [id, queueId]))).toEqual(queues);
  });
});
