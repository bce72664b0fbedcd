// Listeners of a Nest application on a real Apache RocketMQ. Runs by `npm run test:rocketmq` only.

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type INestApplication, Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  defineTopic,
  RocketMQBatchContext,
  RocketMQContext,
  RocketMQListener,
  RocketMQListeners,
  RocketMQModule,
  RocketMQProducer,
  SECOND_MS,
} from 'nestjs-rocketmq';
import { eventually } from '../../tools/until.js';
import { recordingLogger } from '../fixtures/nest-bench.js';
import { withAdmin } from '../fixtures/real-server.js';

const prefix = `listeners-${randomBytes(4).toString('hex')}-`;

const Orders = defineTopic<{ id: string }>('orders', { type: 'normal' });
const Graves = defineTopic<{ id: string }>('graves', { type: 'normal' });
const Readings = defineTopic<number>('readings', { type: 'normal' });

@Injectable()
class Shop {
  readonly seen: string[] = [];

  @RocketMQListener(Orders, { filter: 'created', backoff: SECOND_MS, maxAttempts: 2, deadLetterTopic: Graves })
  async created({ id }: { id: string }, { deliveryAttempt }: RocketMQContext): Promise<void> {
    this.seen.push(`created ${id} ${deliveryAttempt}`);
    throw new RangeError('the shop\nis closed');
  }

  @RocketMQListener(Orders, { filter: 'disputed', name: 'disputes', manual: true, handlerTimeoutMs: 20 * SECOND_MS })
  async disputed({ id }: { id: string }, context: RocketMQContext): Promise<void> {
    this.seen.push(`disputed ${id} ${context.deliveryAttempt}`);
    if (context.deliveryAttempt === 1) context.retryLater({ delayMs: SECOND_MS });
    else setTimeout(() => context.ack(), 10);
  }

  @RocketMQListener(Graves, { consumerGroup: 'graveyard' })
  async bury({ id }: { id: string }, { message }: RocketMQContext): Promise<void> {
    const { originTopic, originAttempts, errorName, errorMessage } = message.properties;
    this.seen.push(`buried ${id}: ${originTopic}, ${originAttempts}, ${errorName}, ${errorMessage}`);
  }

  @RocketMQListener(Readings, { consumerGroup: 'meters', batch: { maxSize: 50, maxWaitMs: 200 }, backoff: SECOND_MS })
  async read(values: number[], context: RocketMQBatchContext): Promise<void> {
    for (const [index, value] of values.entries()) {
      const attempt = context.messages[index]?.deliveryAttempt;
      this.seen.push(`read ${value} ${attempt}`);
      if (value === 3 && attempt === 1) context.fail(index, new Error('not three'));
    }
  }
}

let app: INestApplication | undefined;

beforeAll(async () => {
  await withAdmin(async (admin) => {
    for (const { name } of [Orders, Graves, Readings]) {
      await admin.createTopic({ topic: `${prefix}${name}`, type: 'normal' });
    }
    for (const group of ['shop', 'graveyard', 'meters'])
      await admin.createGroup({ consumerGroup: `${prefix}${group}` });
  });
  const module = RocketMQModule.forRoot({
    endpoints: process.env.ROCKETMQ_TEST_ENDPOINTS ?? '',
    consumerGroup: 'shop',
    topicPrefix: prefix,
    groupPrefix: prefix,
    logger: recordingLogger(),
  });
  const compiled = await Test.createTestingModule({ imports: [module], providers: [Shop] }).compile();
  app = compiled.createNestApplication({ logger: false });
  await app.init();
}, 60_000);

afterAll(() => app?.close());

describe('listeners on a real server', () => {
  it('share a group by tags, retry, send dead letters to a topic, settle manually and receive batches', async () => {
    if (app === undefined) throw new Error('the application did not start');
    const producer = app.get(RocketMQProducer);
    const { seen } = app.get(Shop);
    await producer.send(Orders, { id: 'a' }, { tag: 'created' });
    await producer.send(Orders, { id: 'b' }, { tag: 'disputed' });
    for (const value of [1, 2, 3, 4]) await producer.send(Readings, value);
    await eventually(() => seen.length >= 10, Boolean);
    expect([...seen].sort()).toEqual([
      `buried a: ${prefix}orders, 2, RangeError, the shop is closed`,
      'created a 1',
      'created a 2',
      'disputed b 1',
      'disputed b 2',
      'read 1 1',
      'read 2 1',
      'read 3 1',
      'read 3 2',
      'read 4 1',
    ]);
    // A handler writes down what it saw before it ends.
    const listeners = app.get(RocketMQListeners);
    const state = await eventually(
      () => listeners.state('disputes'),
      ({ running }) => running === 0,
    );
    expect(state).toEqual({
      name: 'disputes',
      topic: `${prefix}orders`,
      consumerGroup: `${prefix}shop`,
      filter: 'disputed',
      status: 'listening',
      concurrency: 16,
      running: 0,
    });
  });
});
