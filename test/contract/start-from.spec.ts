// Where the group of a listener begins that has never received from its topic.

import { afterEach, describe, expect } from '@jest/globals';
import { type INestApplicationContext, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type ListenerOverrides, RocketMQListener, RocketMQModule, RocketMQProducer } from 'nestjs-rocketmq';
import { recordingLogger } from '../fixtures/nest-bench.js';
import { contractSuite } from './support/contract.js';
import type { World } from './support/world.js';

const contract = contractSuite();

const apps: INestApplicationContext[] = [];
afterEach(async () => {
  for (const app of apps.splice(0).reverse()) await app.close();
});

/** An application with one listener, and the bodies that it has handled. */
async function listening(world: World, topic: string, options: ListenerOverrides) {
  const { endpoints, nameServer, clock, access } = world.backend;
  const seen: unknown[] = [];
  class Listener {
    @RocketMQListener(topic, options)
    handle(body: number): void {
      seen.push(body);
    }
  }
  const module = RocketMQModule.forRoot({ endpoints, nameServer, clock, ...access, logger: recordingLogger() });
  @Module({ imports: [module], providers: [Listener] })
  class Service {}
  const app = await NestFactory.createApplicationContext(Service, { logger: false, abortOnError: false });
  apps.push(app);
  const send = async (...bodies: number[]): Promise<void> => {
    const producer = app.get(RocketMQProducer);
    for (const body of bodies) await producer.send({ topic, body });
  };
  return { app, seen, send };
}

async function storedBefore(world: World, topic: string, ...bodies: number[]): Promise<void> {
  const producer = await world.producer();
  for (const body of bodies) await producer.send({ topic, body: String(body) });
}

const sorted = (seen: readonly unknown[]): unknown[] => [...seen].sort();

describe('a group that is new', () => {
  contract('begins at the first message that is stored, and goes on where it was after a restart', async (world) => {
    const [topic, consumerGroup] = [await world.topic(), world.name()];
    await storedBefore(world, topic, 1, 2, 3);
    const options = { consumerGroup, startFrom: 'beginning' } as const;
    const first = await listening(world, topic, options);
    await world.until('all are handled', () => first.seen.length >= 3);
    expect(sorted(first.seen)).toEqual([1, 2, 3]);
    await first.app.close();
    const second = await listening(world, topic, options);
    await second.send(4);
    await world.until('the next one is handled', () => second.seen.includes(4));
    expect(second.seen).toEqual([4]);
  });

  contract('begins at the end', async (world) => {
    const topic = await world.topic();
    await storedBefore(world, topic, 1, 2);
    const { seen, send } = await listening(world, topic, { consumerGroup: world.name(), startFrom: 'end' });
    await send(3, 4);
    await world.until('both are handled', () => seen.length >= 2);
    expect(sorted(seen)).toEqual([3, 4]);
  });

  contract('begins at what was stored at a time or later', async (world) => {
    const topic = await world.topic();
    await storedBefore(world, topic, 1);
    await world.backend.advance(1_500);
    const startFrom = new Date(world.nowMs());
    await world.backend.advance(1_500);
    await storedBefore(world, topic, 2);
    const { seen } = await listening(world, topic, { consumerGroup: world.name(), startFrom });
    await world.until('the later one is handled', () => seen.length > 0);
    expect(seen).toEqual([2]);
  });

  contract('of one instance begins where its listener says', async (world) => {
    const topic = await world.topic();
    await storedBefore(world, topic, 1);
    const options = { consumerGroup: world.name(), mode: 'broadcast', startFrom: 'beginning' } as const;
    const { seen, send } = await listening(world, topic, options);
    await send(2);
    await world.until('both are handled', () => seen.length >= 2);
    expect(sorted(seen)).toEqual([1, 2]);
  });
});
