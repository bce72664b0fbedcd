// Requests whose handler runs while its application closes: the caller gets an answer, from this instance or the next.

import { describe, expect } from '@jest/globals';
import { Controller, type INestApplicationContext, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, RpcException } from '@nestjs/microservices';
import {
  type RocketMQContext,
  RocketMQModule,
  type RocketMQModuleOptions,
  RocketMQRequester,
  SECOND_MS,
  ServerRocketMQ,
} from 'nestjs-rocketmq';
import { recordingLogger } from '../fixtures/nest-bench.js';
import { contractSuite } from './support/contract.js';
import type { World } from './support/world.js';

const contract = contractSuite();
const LEASE_MS = 10 * SECOND_MS;

type Answer = (question: string, context: RocketMQContext) => Promise<string>;

function moduleOf(world: World, options: Partial<RocketMQModuleOptions>) {
  const { endpoints, nameServer, clock } = world.backend;
  return RocketMQModule.forRoot({ endpoints, nameServer, clock, logger: recordingLogger(), ...options });
}

/** An application that sends requests. */
async function desk(world: World): Promise<INestApplicationContext> {
  @Module({ imports: [moduleOf(world, { requests: { application: 'desk' } })] })
  class DeskModule {}
  return NestFactory.createApplicationContext(DeskModule, { logger: false, abortOnError: false });
}

/** An application that answers them. */
async function shop(world: World, topic: string, consumerGroup: string, shutdownGraceMs: number, answer: Answer) {
  @Controller()
  class Shop {
    @MessagePattern(topic, { consumerGroup, invisibleDurationMs: LEASE_MS })
    answer(question: string, context: RocketMQContext): Promise<string> {
      return answer(question, context);
    }
  }
  @Module({ imports: [moduleOf(world, { shutdownGraceMs })], controllers: [Shop] })
  class ShopModule {}
  const app = await NestFactory.createMicroservice(ShopModule, {
    logger: false,
    abortOnError: false,
    inject: [ServerRocketMQ],
    useFactory: (strategy: ServerRocketMQ) => ({ strategy }),
  });
  await app.listen();
  return app;
}

/** Runs until the test releases it, even if its signal fires. */
function stubborn() {
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const questions: string[] = [];
  const answer: Answer = async (question) => {
    questions.push(question);
    await released;
    return 'the first one';
  };
  return { answer, questions, release: () => release() };
}

describe('an error of a handler', () => {
  contract('arrives with the object that was given to RpcException', async (world) => {
    const [topic, consumerGroup] = [await world.topic(), await world.group()];
    const asking = await desk(world);
    const details = { code: 'SOLD_OUT', reason: 'no seats', left: [0, { row: 7 }] };
    const answering = await shop(world, topic, consumerGroup, SECOND_MS, async (question) => {
      throw question === 'plain' ? new RpcException('just words') : new RpcException(details);
    });
    try {
      const requester = asking.get(RocketMQRequester);
      const asked = requester.request(topic, 'object', { timeoutMs: 60 * SECOND_MS }).catch((error) => error);
      expect(await asked).toMatchObject({ name: 'RpcException', code: 'SOLD_OUT', details });
      const plain = requester.request(topic, 'plain', { timeoutMs: 60 * SECOND_MS }).catch((error) => error);
      expect(await plain).toMatchObject({ name: 'RpcException', message: 'just words', details: undefined });
    } finally {
      await answering.close();
      await asking.close();
    }
  });
});

describe('an error that cannot be looked at', () => {
  contract('arrives as an error, and the request is handled once', async (world) => {
    const [topic, consumerGroup] = [await world.topic(), await world.group()];
    const asking = await desk(world);
    const questions: string[] = [];
    const answering = await shop(world, topic, consumerGroup, SECOND_MS, async (question) => {
      questions.push(question);
      if (question === 'bigint') throw Object.assign(new Error(), { message: 1n });
      const { proxy, revoke } = Proxy.revocable(new Error(), {});
      if (question === 'revoked') revoke();
      throw question === 'revoked'
        ? proxy
        : Object.defineProperty(new Error(), question, {
            get(): never {
              throw new Error('do not look');
            },
          });
    });
    const asked = ['name', 'message', 'response', 'code', 'revoked', 'bigint'];
    try {
      for (const question of asked) {
        const answer = asking.get(RocketMQRequester).request(topic, question, { timeoutMs: 60 * SECOND_MS });
        await expect(answer).rejects.toMatchObject({ name: 'Error', message: expect.any(String) });
      }
      expect(questions).toEqual(asked);
    } finally {
      await answering.close();
      await asking.close();
    }
  });
});

describe('a request in progress in an application that closes', () => {
  contract('is answered by its handler, which ends in time, and handled once', async (world) => {
    const [topic, consumerGroup] = [await world.topic(), await world.group()];
    const asking = await desk(world);
    const { answer, questions, release } = stubborn();
    const answering = await shop(world, topic, consumerGroup, 20 * SECOND_MS, answer);
    try {
      const asked = asking.get(RocketMQRequester).request(topic, 'who?', { timeoutMs: 60 * SECOND_MS });
      await world.until('it is at work', () => questions.length > 0);
      const closed = answering.close();
      release();
      expect(await asked).toBe('the first one');
      await closed;
      expect(questions).toEqual(['who?']);
    } finally {
      await asking.close();
    }
  });

  contract('is answered by the next instance when nobody waits for its handler any more', async (world) => {
    const [topic, consumerGroup] = [await world.topic(), await world.group()];
    const asking = await desk(world);
    const { answer, questions, release } = stubborn();
    const first = await shop(world, topic, consumerGroup, 50, answer);
    const asked = asking.get(RocketMQRequester).request(topic, 'who?', { timeoutMs: 90 * SECOND_MS });
    await world.until('it is at work', () => questions.length > 0);
    await first.close();
    const second = await shop(world, topic, consumerGroup, SECOND_MS, async () => 'the second one');
    try {
      let answered: unknown;
      void asked.then((text) => {
        answered = text;
      });
      await world.until('it is answered', async () => {
        if (answered === undefined) await world.backend.advanceDuringWork(SECOND_MS);
        return answered !== undefined;
      });
      expect(answered).toBe('the second one');
    } finally {
      release();
      await second.close();
      await asking.close();
    }
  });
});
