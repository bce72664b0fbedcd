// The transport strategy, requests with answers, broadcasts and the warning about subscriptions on a real Apache RocketMQ. Runs by
// `npm run test:rocketmq` only.

import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, type INestApplication, Injectable, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import {
  DeadLetterError,
  RocketMQListener,
  RocketMQModule,
  type RocketMQModuleOptions,
  RocketMQProducer,
  RocketMQRequester,
  SECOND_MS,
  ServerRocketMQ,
} from 'nestjs-rocketmq';
import type { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { eventually } from '../../tools/until.js';
import { recordingLogger } from '../fixtures/nest-bench.js';
import { nameServer, serverAdmin } from '../fixtures/real-server.js';
import { testTransport } from '../fixtures/transport.js';

const TIMEOUT_MS = 60 * SECOND_MS;
const prefix = `micro-${randomBytes(4).toString('hex')}-`;
const apps: INestApplication[] = [];
let admin: RocketMQAdmin;

beforeAll(async () => {
  admin = serverAdmin();
  for (const topic of ['prices', 'news']) await admin.createTopic({ topic: `${prefix}${topic}`, type: 'normal' });
  for (const consumerGroup of ['shop', 'mixed'])
    await admin.createGroup({ consumerGroup: `${prefix}${consumerGroup}` });
}, 60_000);
afterEach(async () => {
  for (const app of apps.splice(0).reverse()) await app.close();
}, 60_000);
afterAll(() => admin.close());

interface Parts {
  readonly controllers?: Type[];
  readonly providers?: Type[];
  readonly options?: Partial<RocketMQModuleOptions>;
}

async function start({ controllers = [], providers = [], options = {} }: Parts): Promise<INestApplication> {
  const rocketmq = RocketMQModule.forRoot({
    endpoints: process.env.ROCKETMQ_TEST_ENDPOINTS ?? '',
    nameServer,
    consumerGroup: 'shop',
    topicPrefix: prefix,
    groupPrefix: prefix,
    logger: recordingLogger(),
    ...options,
  });
  @Module({ imports: [rocketmq], controllers, providers })
  class AppModule {}
  const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
  apps.push(app);
  app.connectMicroservice({ strategy: app.get(ServerRocketMQ) });
  await app.startAllMicroservices();
  await app.init();
  return app;
}

async function groupsNow(): Promise<string[]> {
  const { groups } = await admin.listGroups();
  return groups.map(({ consumerGroup }) => consumerGroup).filter((name) => name.startsWith(prefix));
}

@Controller()
class Prices {
  @MessagePattern<string>('prices:of')
  async priceOf({ item }: { item: string }): Promise<unknown> {
    if (item === 'gold') throw new RangeError('too dear');
    return { item, cents: 250 };
  }

  @EventPattern<string>('prices:changed')
  changed(_body: unknown): void {
    throw new DeadLetterError('nobody cares');
  }
}

describe('the transport strategy on a real server', () => {
  it('answers requests to the requesting instance, including errors', async () => {
    await start({ controllers: [Prices] });
    const options = { requests: { application: 'desk', timeoutMs: TIMEOUT_MS } };
    const desks = [await start({ options }), await start({ options })].map((app) => app.get(RocketMQRequester));
    const asked = desks.flatMap((desk) => ['tea', 'milk'].map((item) => desk.request('prices:of', { item })));
    expect(await Promise.all(asked)).toEqual(['tea', 'milk', 'tea', 'milk'].map((item) => ({ item, cents: 250 })));
    await expect(desks[0]?.request('prices:of', { item: 'gold' })).rejects.toMatchObject({
      name: 'RangeError',
      message: 'too dear',
    });
    expect(desks.map(({ lateReplies }) => lateReplies)).toEqual([0, 0]);
    const isForAnswers = (group: string): boolean => group.includes('nestjs-rocketmq-reply-desk-');
    expect((await groupsNow()).filter(isForAnswers)).toHaveLength(2);
    for (const app of apps.splice(0).reverse()) await app.close();
    expect((await groupsNow()).filter(isForAnswers)).toEqual([]);
  });

  it('dead-letters a message on request of its handler', async () => {
    const app = await start({ controllers: [Prices] });
    await app.get(RocketMQProducer).send({ topic: 'prices', tag: 'changed', body: '"x"' });
    let letters = 0;
    for (let waitedMs = 0; letters === 0 && waitedMs < TIMEOUT_MS; waitedMs += 500) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      letters = (await admin.listDeadLetters(`${prefix}shop`).catch(() => undefined))?.deadLetters.length ?? 0;
    }
    expect(letters).toBe(1);
  });
});

describe('a broadcast listener on a real server', () => {
  const ownGroups = testTransport === 'remoting' ? 0 : 1;

  it('receives in each instance what is sent while it runs, and leaves no group of its own behind', async () => {
    const heard: string[] = [];
    const listener = (name: string): Type => {
      @Injectable()
      class News {
        @RocketMQListener('news', { mode: 'broadcast', consumerGroup: 'news' })
        hear(body: string): void {
          heard.push(`${name} ${body}`);
        }
      }
      return News;
    };
    const sender = await start({});
    const send = (body: string) => sender.get(RocketMQProducer).send({ topic: 'news', body: JSON.stringify(body) });
    for (let number = 0; number < 20; number += 1) await send(`old ${number}`);
    const [a] = [await start({ providers: [listener('a')] }), await start({ providers: [listener('b')] })];
    for (let number = 0; number < 20; number += 1) await send(`new ${number}`);
    await eventually(() => heard.length >= 40, Boolean);
    const expected = ['a', 'b'].flatMap((name) => Array.from({ length: 20 }, (_, number) => `${name} new ${number}`));
    expect([...heard].sort()).toEqual(expected.sort());
    const isNews = (group: string): boolean => group.includes('news-broadcast-');
    expect((await groupsNow()).filter(isNews)).toHaveLength(2 * ownGroups);
    await a?.close();
    expect((await groupsNow()).filter(isNews)).toHaveLength(ownGroups);
    for (const app of apps.splice(0).reverse()) await app.close();
    expect((await groupsNow()).filter(isNews)).toEqual([]);
  });
});

describe('members of a group with different subscriptions, on a real server', () => {
  const listener = (filter: string): Type => {
    @Injectable()
    class Mixed {
      @RocketMQListener('prices', { consumerGroup: 'mixed', filter })
      handle(): void {}
    }
    return Mixed;
  };
  const warned = (logger: ReturnType<typeof recordingLogger>): boolean =>
    logger.lines.some(([line]) => line.includes('whose subscriptions differ'));

  it('are reported by the last one, and equal ones are not', async () => {
    const loggers = [recordingLogger(), recordingLogger(), recordingLogger()];
    await start({ providers: [listener('a || b')], options: { logger: loggers[0] } });
    await start({ providers: [listener('b || a')], options: { logger: loggers[1] } });
    await start({ providers: [listener('a')], options: { logger: loggers[2] } });
    expect(loggers.map(warned)).toEqual([false, false, true]);
  });
});
