// Applications whose topics are created after a start failed without them: a real server reports such a topic as missing for a while.

import { describe, expect } from '@jest/globals';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  defineTopic,
  RocketMQListener,
  RocketMQModule,
  type RocketMQModuleOptions,
  RocketMQProducer,
} from 'nestjs-rocketmq';
import { SECOND_MS } from 'nestjs-rocketmq/client';
import { call } from '../fixtures/command-line.js';
import { recordingLogger } from '../fixtures/nest-bench.js';
import { forwardTo } from '../fixtures/tcp-forwarder.js';
import { testTransport } from '../fixtures/transport.js';
import { contractSuite } from './support/contract.js';
import type { World } from './support/world.js';

const contract = contractSuite();

/** A starting application that sends to a topic and listens to it, and the messages that it has handled. */
function application(world: World, topic: string, options: Partial<RocketMQModuleOptions>) {
  const { endpoints, nameServer, clock } = world.backend;
  const Orders = defineTopic<{ id: string }>(topic, { type: 'normal' });
  const seen: unknown[] = [];
  class Shop {
    @RocketMQListener(Orders, { consumerGroup: `${topic}-group` })
    handle(order: { id: string }): void {
      seen.push(order);
    }
  }
  const all = { endpoints, nameServer, clock, logger: recordingLogger(), topics: [Orders], ...options };
  @Module({ imports: [RocketMQModule.forRoot(all)], providers: [Shop] })
  class ShopModule {}
  return { app: NestFactory.createApplicationContext(ShopModule, { logger: false, abortOnError: false }), seen };
}

/** Starts an application, and closes it after its first message. @returns what it has handled */
async function roundTrip(world: World, topic: string, options: Partial<RocketMQModuleOptions>): Promise<unknown[]> {
  const { app: starting, seen } = application(world, topic, options);
  const app = await starting;
  try {
    await app.get(RocketMQProducer).send({ topic, body: { id: 'a' } });
    await world.until('the message is handled', () => seen.length > 0);
    return seen;
  } finally {
    await app.close();
  }
}

/** Only a proxy in local mode reports a new topic as missing. */
const deniesNewTopics = ({ backend }: World): boolean => backend.name === 'rocketmq' && testTransport !== 'remoting';

/**
 * How long a start may take that has to fail. A proxy that reports the topic as missing is asked again until then; elsewhere the first
 * answer ends the start, however late it comes, for example because this start is the first one of its process.
 */
const givingUp = (world: World): Partial<RocketMQModuleOptions> =>
  deniesNewTopics(world) ? { startTimeoutMs: 3 * SECOND_MS } : {};

type Recorded = ReturnType<typeof recordingLogger>;

const WAIT_FOR = (topic: string) => expect.stringContaining(`warn the server does not know topic "${topic}"; waiting`);

/** The warnings about the wait for a topic, from the producer, because consumers start after it. */
function waitsIn(logger: Recorded, topic: string): string[] {
  return logger.lines.map(([line]) => line).filter((line) => line.includes(`does not know topic "${topic}"`));
}

/** A missing topic for which a start has just failed. */
async function missed(world: World): Promise<string> {
  const topic = world.name();
  await world.backend.createGroup(`${topic}-group`, {});
  await expect(roundTrip(world, topic, givingUp(world))).rejects.toMatchObject({ code: 'TOPIC_NOT_FOUND' });
  return topic;
}

describe('an application that starts again after its topic was missing', () => {
  contract("runs with provision: 'create'", async (world) => {
    const topic = await missed(world);
    expect(await roundTrip(world, topic, { provision: 'create' })).toEqual([{ id: 'a' }]);
  });

  contract("finds the dead letter topic that it names, with provision: 'create'", async (world) => {
    const topic = await missed(world);
    const deadLetterTopic = `${topic}-graves`;
    const options = { provision: 'create', defaults: { deadLetterTopic } } as const;
    expect(await roundTrip(world, topic, options)).toEqual([{ id: 'a' }]);
    expect(await world.admin().describeTopic(deadLetterTopic)).toMatchObject({ type: 'normal' });
  });

  contract('runs once somebody has entered the command that the error prints', async (world) => {
    const topic = await missed(world);
    const { nameServer } = world.backend;
    const { code, err } = await call(['topic', 'create', topic, '--type', 'normal', '--name-server', nameServer]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const logger = recordingLogger();
    expect(await roundTrip(world, topic, { logger })).toEqual([{ id: 'a' }]);
    expect(waitsIn(logger, topic)).toEqual(deniesNewTopics(world) ? [WAIT_FOR(topic)] : []);
  });

  contract('gets the error in the end where nobody creates the topic, after one warning', async (world) => {
    const topic = await missed(world);
    const logger = recordingLogger();
    const hint = 'reports it as missing for 20 s, and once more after that';
    await expect(roundTrip(world, topic, { logger, ...givingUp(world) })).rejects.toMatchObject({
      code: 'TOPIC_NOT_FOUND',
      outcome: 'rejected',
      message: deniesNewTopics(world) ? expect.stringContaining(hint) : expect.not.stringContaining(hint),
    });
    expect(waitsIn(logger, topic)).toEqual(deniesNewTopics(world) ? [WAIT_FOR(topic)] : []);
  });

  contract('says at once what is missing when it runs without it and tries again anyway', async (world) => {
    const topic = world.name();
    const serverPort = Number(world.backend.proxy.split(':').at(-1));
    const absent = await forwardTo(serverPort);
    await absent.close();
    const logger = recordingLogger();
    const { app: starting } = application(world, topic, {
      endpoints: `127.0.0.1:${absent.port}`,
      useBootstrapEndpoints: true,
      logger,
      startTimeoutMs: 1_000,
      whenUnavailable: 'degraded',
    });
    const app = await starting;
    const present = await forwardTo(serverPort, undefined, absent.port);
    try {
      await world.until('the rejection is logged', () => logger.lines.some(([line]) => line.startsWith('error ')));
      expect(waitsIn(logger, topic)).toEqual([]);
    } finally {
      await app.close();
      await present.close();
    }
  });
});

/** As a real broker does by default; a proxy in local mode rejects an unknown group before. */
const createsGroups = ({ backend }: World): boolean => backend.name === 'rocketmq' && testTransport === 'remoting';

describe('the first start of an application on a cluster', () => {
  contract('names all topics and groups that are missing at once', async (world) => {
    const [sent, heard, consumerGroup] = [world.name(), world.name(), world.name()];
    const known = await world.topic('normal');
    const { endpoints, nameServer, clock } = world.backend;
    class Shop {
      @RocketMQListener(heard, { consumerGroup })
      handle(): void {}
    }
    const topics = [defineTopic(sent, { type: 'delay' }), defineTopic(known, { type: 'normal' })];
    const options = { endpoints, nameServer, clock, logger: recordingLogger(), topics, startTimeoutMs: 3_000 };
    @Module({ imports: [RocketMQModule.forRoot(options)], providers: [Shop] })
    class ShopModule {}
    const starting = NestFactory.createApplicationContext(ShopModule, { logger: false, abortOnError: false });
    const error: unknown = await starting.catch((failure: unknown) => failure);
    const on = `--name-server ${nameServer}`;
    const commands = [
      `npx nestjs-rocketmq topic create ${sent} --type delay ${on}`,
      `npx nestjs-rocketmq topic create ${heard} --type normal ${on}`,
      // No group is missing where brokers create them (autoCreateSubscriptionGroup).
      ...(createsGroups(world) ? [] : [`npx nestjs-rocketmq group create ${consumerGroup} ${on}`]),
    ];
    expect(error).toMatchObject({ code: 'TOPIC_NOT_FOUND', outcome: 'rejected', command: commands.join(' && ') });
  });
});

describe('a consumer whose topic is missing', () => {
  contract('is not said to lack a group that exists', async (world) => {
    const topic = world.name();
    const consumerGroup = await world.group({});
    const starting = world.record({ topic, consumerGroup });
    await expect(starting).rejects.toMatchObject({
      code: 'TOPIC_NOT_FOUND',
      command: expect.not.stringContaining('group create'),
    });
  });
});

/** An ordered listener to one topic, and a sender of delayed messages to another. */
async function checked(world: World, topic: string, later: string, consumerGroup: string): Promise<void> {
  const { endpoints, nameServer, clock } = world.backend;
  const Orders = defineTopic<{ id: string }>(topic, { type: 'fifo' });
  const Reminders = defineTopic<{ id: string }>(later, { type: 'delay' });
  class Shop {
    @RocketMQListener(Orders, { consumerGroup })
    handle(): void {}
  }
  const groups = { [consumerGroup]: { maxDeliveryAttempts: 5, backoff: [SECOND_MS] } };
  const topics = [Orders, Reminders];
  const logger = recordingLogger();
  const options = { endpoints, nameServer, clock, logger, topics, groups, provision: 'check' } as const;
  @Module({ imports: [RocketMQModule.forRoot(options)], providers: [Shop] })
  class ShopModule {}
  const app = await NestFactory.createApplicationContext(ShopModule, { logger: false, abortOnError: false });
  await app.close();
}

describe("provision: 'check'", () => {
  contract('lets an application start whose topics and group exist as it declares them', async (world) => {
    const [topic, later] = [await world.topic('fifo'), await world.topic('delay')];
    const backoff = { kind: 'customized', nextMs: [SECOND_MS] } as const;
    const consumerGroup = await world.group({ fifo: true, maxDeliveryAttempts: 5, backoff });
    await expect(checked(world, topic, later, consumerGroup)).resolves.toBeUndefined();
  });

  contract('stops an application that lacks a topic or a group, and names what is missing', async (world) => {
    const [topic, later, consumerGroup] = [await world.topic('fifo'), world.name(), world.name()];
    const starting = checked(world, topic, later, consumerGroup);
    await expect(starting).rejects.toThrow(later);
    await expect(starting).rejects.toThrow(consumerGroup);
    expect(await world.admin().describeTopic(later)).toBeUndefined();
  });
});
