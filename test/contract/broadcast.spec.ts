// Broadcasts by name server: every consumer gets every message that is sent while it runs, and its failures are its own.

import { describe, expect } from '@jest/globals';
import { type Connection, SECOND_MS } from 'nestjs-rocketmq/client';
import { contractSuite } from './support/contract.js';
import { type Delivery, texts, type World } from './support/world.js';

const contract = contractSuite();

/** With or without a proxy, its name servers can be connected to. Retries wait in the consumer, in real time. */
function byNameServer(world: World): Connection {
  return world.connection({
    endpoints: `name-server:${world.backend.nameServer}`,
    clock: undefined,
    transport: undefined,
  });
}

const numbered = (word: string, count: number) => Array.from({ length: count }, (_, number) => `${word}-${number}`);

async function sendAll(world: World, topic: string, bodies: readonly string[], messageGroup?: string): Promise<void> {
  const producer = await world.producer();
  for (const body of bodies) await producer.send({ topic, body, messageGroup });
}

/** A consumer of `<group>`, which may have others. */
function broadcast(
  world: World,
  topic: string,
  consumerGroup: string,
  options: Partial<Parameters<World['record']>[0]> = {},
) {
  return world.record({ topic, consumerGroup, mode: 'broadcast', ...options }, byNameServer(world));
}

describe('consumers of a broadcast', () => {
  contract('get every message that is sent while they run, and none before', async (world) => {
    const [topic, group] = [await world.topic(), await world.group()];
    await sendAll(world, topic, numbered('before', 16));
    const first = await broadcast(world, topic, group);
    await sendAll(world, topic, numbered('one', 32));
    const second = await broadcast(world, topic, group);
    await sendAll(world, topic, numbered('both', 32));
    await world.until('all', () => first.deliveries.length >= 64 && second.deliveries.length >= 32);
    await first.consumer.close();
    await sendAll(world, topic, numbered('rest', 16));
    await world.until('the rest', () => second.deliveries.length >= 48);
    expect(texts(first.deliveries).sort()).toEqual([...numbered('one', 32), ...numbered('both', 32)].sort());
    expect(texts(second.deliveries).sort()).toEqual([...numbered('both', 32), ...numbered('rest', 16)].sort());
  });

  contract('have retries and dead letters of their own', async (world) => {
    const [topic, group] = [await world.topic(), await world.group({ maxDeliveryAttempts: 3 })];
    const dead: string[] = [];
    const failedAtMs: number[] = [];
    const failing = await broadcast(world, topic, group, {
      backoff: { kind: 'customized', nextMs: [1_500] },
      deadLetterTo: async ({ message }) => void dead.push(message.body.toString()),
      handle: ({ text }: Delivery) => {
        if (text !== 'bad-0') return;
        failedAtMs.push(performance.now());
        throw new Error('bad');
      },
    });
    const other = await broadcast(world, topic, group);
    await sendAll(world, topic, [...numbered('bad', 1), ...numbered('good', 8)]);
    await world.until('it is given up', () => dead.length > 0);
    // A server that is busy may answer for another queue only after seconds.
    const all = ['bad-0', ...numbered('good', 8)];
    await world.until('the others', () =>
      [failing, other].every(({ deliveries }) => all.every((text) => texts(deliveries).includes(text))),
    );
    const bad = failing.deliveries.filter(({ text }) => text === 'bad-0');
    expect(bad.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    const [first = 0, second = 0] = failedAtMs;
    expect(second - first).toBeGreaterThanOrEqual(1_400);
    expect(texts(failing.deliveries).sort()).toEqual(['bad-0', 'bad-0', ...all]);
    expect(texts(other.deliveries).sort()).toEqual(all);
    expect(dead).toEqual(['bad-0']);
    const { deadLetters } = await world.admin().listDeadLetters(group);
    expect(deadLetters).toEqual([]);
  });

  contract('retry an ordered message in its place', async (world) => {
    const [topic, group] = [await world.topic('fifo'), await world.group({ fifo: true })];
    const { deliveries } = await broadcast(world, topic, group, {
      requireFifo: true,
      backoff: { kind: 'customized', nextMs: [SECOND_MS] },
      handle: ({ text, attempt }: Delivery) => {
        if (text === 'step-1' && attempt < 3) throw new Error('not yet');
      },
    });
    await sendAll(world, topic, numbered('step', 4), 'one');
    await world.until('all steps', () => deliveries.some(({ text }) => text === 'step-3'));
    expect(deliveries.map(({ text, attempt }) => `${text} ${attempt}`)).toEqual([
      'step-0 1',
      'step-1 1',
      'step-1 2',
      'step-1 3',
      'step-2 1',
      'step-3 1',
    ]);
  });

  contract('receive by a filter of their own', async (world) => {
    const [topic, group] = [await world.topic(), await world.group()];
    const red = await broadcast(world, topic, group, { filter: 'red' });
    const blue = await broadcast(world, topic, group, { filter: 'blue' });
    const producer = await world.producer();
    for (const tag of ['red', 'blue', 'red']) await producer.send({ topic, tag, body: tag });
    await world.until('three', () => red.deliveries.length + blue.deliveries.length === 3);
    expect([texts(red.deliveries), texts(blue.deliveries)]).toEqual([['red', 'red'], ['blue']]);
  });

  contract('begin anew with a topic that they subscribe to again', async (world) => {
    const [topic, other, group] = [await world.topic(), await world.topic(), await world.group()];
    const { consumer, deliveries } = await broadcast(world, topic, group);
    await consumer.subscribe({ topic: other });
    await sendAll(world, other, ['heard']);
    await world.until('the first', () => deliveries.length === 1);
    await consumer.unsubscribe(other);
    await sendAll(world, other, numbered('missed', 8));
    await sendAll(world, topic, ['between']);
    await world.until('the second', () => deliveries.length === 2);
    await consumer.subscribe({ topic: other });
    await sendAll(world, other, ['again']);
    await world.until('the third', () => texts(deliveries).includes('again'));
    expect(texts(deliveries)).toEqual(['heard', 'between', 'again']);
  });
});
