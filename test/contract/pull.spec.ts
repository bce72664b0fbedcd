// Consumers that pull from brokers of any release: their group divides the queues, and what failed is sent back.

import { describe, expect } from '@jest/globals';
import { type Connection, SECOND_MS } from 'nestjs-rocketmq/client';
import { contractSuite } from './support/contract.js';
import { type Delivery, type RecorderOptions, texts, type World } from './support/world.js';

const contract = contractSuite();

/** With or without a proxy, its name servers can be connected to. Ordered retries wait in the consumer, in real time. */
function byNameServer(world: World): Connection {
  return world.connection({
    endpoints: `name-server:${world.backend.nameServer}`,
    clock: undefined,
    transport: undefined,
  });
}

function pulling(world: World, options: RecorderOptions) {
  return world.record({ consume: 'pull', ...options }, byNameServer(world));
}

const numbered = (count: number) =>
  Array.from({ length: count }, (_, number) => `m-${String(number).padStart(2, '0')}`);

async function sendAll(world: World, topic: string, bodies: readonly string[], messageGroup?: string): Promise<void> {
  const producer = await world.producer();
  for (const body of bodies) await producer.send({ topic, body, messageGroup });
}

describe('consumers that pull', () => {
  contract('divide the queues of a topic, and take over what one leaves', async (world) => {
    const [topic, consumerGroup] = [await world.topic(), await world.group()];
    const [first, second] = [
      await pulling(world, { topic, consumerGroup }),
      await pulling(world, { topic, consumerGroup }),
    ];
    const all = () => [...first.deliveries, ...second.deliveries];
    let sent = 0;
    await world.until('both receive', async () => {
      await sendAll(world, topic, [`before-${sent++}`]);
      return first.deliveries.length > 0 && second.deliveries.length > 0;
    });
    await world.until('all of them', () => all().length >= sent);
    await first.consumer.close();
    const seen = second.deliveries.length;
    await sendAll(world, topic, numbered(32));
    await world.until('the rest', () => second.deliveries.length >= seen + 32);
    expect(texts(second.deliveries.slice(seen)).sort()).toEqual(numbered(32));
    expect(new Set(texts(all())).size).toBe(all().length);
  });

  contract('send back what failed, and dead-letter it at last', async (world) => {
    const [topic, consumerGroup] = [await world.topic(), await world.group({ maxDeliveryAttempts: 2 })];
    const { deliveries } = await pulling(world, {
      topic,
      consumerGroup,
      backoff: { kind: 'customized', nextMs: [SECOND_MS] },
      handle: ({ text }: Delivery) => {
        if (text === 'm-01') throw new Error('bad');
      },
    });
    await sendAll(world, topic, numbered(4));
    await world.until('the first attempts', () => deliveries.length === 4);
    await world.until('the second one', async () => {
      await world.backend.advance(SECOND_MS);
      return deliveries.length >= 5;
    });
    const admin = world.admin();
    await world.until('the dead letter', async () => {
      const { deadLetters } = await admin.listDeadLetters(consumerGroup);
      return deadLetters.length > 0;
    });
    const attempts = deliveries.filter(({ text }) => text === 'm-01').map(({ attempt }) => attempt);
    expect(attempts).toEqual([1, 2]);
    expect(texts(deliveries).sort()).toEqual(['m-00', 'm-01', 'm-01', 'm-02', 'm-03']);
  });

  contract('retry an ordered message in its place', async (world) => {
    const [topic, consumerGroup] = [await world.topic('fifo'), await world.group({ fifo: true })];
    const { deliveries, consumer } = await pulling(world, {
      topic,
      consumerGroup,
      requireFifo: true,
      backoff: { kind: 'customized', nextMs: [SECOND_MS] },
      handle: ({ text, attempt }: Delivery) => {
        if (text === 'm-01' && attempt === 1) throw new Error('not yet');
      },
    });
    expect(consumer.isFifo).toBe(true);
    await sendAll(world, topic, numbered(4), 'one');
    await world.until('all', () => deliveries.some(({ text }) => text === 'm-03'));
    expect(deliveries.map(({ text, attempt }) => `${text} ${attempt}`)).toEqual([
      'm-00 1',
      'm-01 1',
      'm-01 2',
      'm-02 1',
      'm-03 1',
    ]);
  });

  contract('begin where the group was, when it popped before', async (world) => {
    const [topic, consumerGroup] = [await world.topic(), await world.group()];
    await sendAll(world, topic, ['old']);
    const popping = await world.record({ topic, consumerGroup }, byNameServer(world));
    await world.until('the first', () => popping.deliveries.length === 1);
    await popping.consumer.close();
    await sendAll(world, topic, ['new']);
    const { deliveries } = await pulling(world, { topic, consumerGroup });
    await world.until('the next', () => texts(deliveries).includes('new'));
    // What was acknowledged a moment ago may be pulled once more: the broker stores the position of POP seconds later.
    expect(texts(deliveries).filter((text) => text === 'new')).toEqual(['new']);
  });
});
