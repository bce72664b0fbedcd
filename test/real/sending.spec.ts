// Sending from a Nest application to a real Apache RocketMQ: message hooks, a transactional method that overrides another, an injected
// admin, and topics of a wrong type. Runs with `npm run test:rocketmq` only.

import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable, type Provider } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  defineTopic,
  InjectRocketMQAdmin,
  type MessageHook,
  RocketMQListener,
  RocketMQModule,
  RocketMQProducer,
  TransactionalSend,
} from 'nestjs-rocketmq';
import type { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { bodyBytes } from '../../libs/rocketmq/src/protocol/model/message.js';
import { silentLogger } from '../../libs/rocketmq/src/support/logger.js';
import { Arrivals } from '../fixtures/arrivals.js';
import { nameServer, withAdmin } from '../fixtures/real-server.js';

const topicPrefix = `sending-${randomBytes(4).toString('hex')}-`;
const Orders = defineTopic<{ id: string }>('orders', { type: 'normal' });
const Booked = defineTopic<{ id: string }>('booked', { type: 'transaction' });

/** Inverts every bit of a body. */
const turning: MessageHook = {
  outgoing: (message) => ({ ...message, body: bodyBytes(message.body).map((byte) => byte ^ 0xff) }),
  incoming: (message) => ({ ...message, body: Buffer.from(message.body.map((byte) => byte ^ 0xff)) }),
};

const arrivals = new Arrivals();

@Injectable()
class Base {
  @InjectRocketMQAdmin() readonly admin!: RocketMQAdmin;

  @TransactionalSend(Booked, { message: (id: string) => ({ body: { id: `base ${id}` } }) })
  async book(id: string): Promise<string> {
    return id;
  }
}

@Injectable()
class Booking extends Base {
  @TransactionalSend(Booked, { message: (id: string) => ({ body: { id: `own ${id}` } }) })
  override async book(id: string): Promise<string> {
    return super.book(id);
  }

  @RocketMQListener(Orders)
  async ordered({ id }: { id: string }): Promise<void> {
    arrivals.add(`ordered ${id}`);
  }

  @RocketMQListener(Booked)
  async booked({ id }: { id: string }): Promise<void> {
    arrivals.add(`booked ${id}`);
  }
}

class Mistaken {
  @RocketMQListener(defineTopic('orders', { type: 'delay' }))
  async handle(): Promise<void> {}
}

let app: TestingModule | undefined;

async function start(providers: Provider[]): Promise<TestingModule> {
  const endpoints = process.env.ROCKETMQ_TEST_ENDPOINTS ?? '';
  const options = { endpoints, nameServer, topicPrefix, groupPrefix: topicPrefix, consumerGroup: 'shop' };
  const transactionLog = { check: async () => 'unknown' as const };
  app = await Test.createTestingModule({
    imports: [RocketMQModule.forRoot({ ...options, transactionLog, hooks: [turning], logger: silentLogger })],
    providers,
  }).compile();
  await app.init();
  return app;
}

beforeAll(() =>
  withAdmin(async (admin) => {
    await admin.createTopic({ topic: `${topicPrefix}orders`, type: 'normal' });
    await admin.createTopic({ topic: `${topicPrefix}booked`, type: 'transaction' });
    await admin.createGroup({ consumerGroup: `${topicPrefix}shop` });
  }),
);
afterEach(async () => {
  await app?.close();
  app = undefined;
});
afterAll(() =>
  withAdmin(async (admin) => {
    for (const { name } of [Orders, Booked]) await admin.deleteTopic(`${topicPrefix}${name}`);
    await admin.deleteGroup(`${topicPrefix}shop`);
  }),
);

describe('sending to a real server', () => {
  it('applies hooks, and sends one message for an override and super', async () => {
    const running = await start([Booking]);
    const booking = running.get(Booking);
    await running
      .get(RocketMQProducer)
      .for(Orders)
      .send({ id: 'a' }, { keys: ['a'] });
    expect(await booking.book('b')).toBe('b');
    await arrivals.of('ordered a', 'booked own b');
    expect(arrivals.texts).not.toContain('booked base b');
    expect(await booking.admin.describeTopic(`${topicPrefix}booked`)).toMatchObject({ type: 'transaction' });
  });

  it('fails at startup when the topic of a listener has another type', async () => {
    await expect(start([Mistaken])).rejects.toThrow(/TOPIC_TYPE_MISMATCH/);
  });
});
