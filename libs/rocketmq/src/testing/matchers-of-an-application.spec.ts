// The matchers beside an application of Nest: ordered listeners, prefixes, dead letter topics, fake timers.

import 'reflect-metadata';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { defineTopic, RocketMQListener, RocketMQModule, RocketMQProducer } from '../entries/nest.js';
import { useTestBroker } from '../entries/testing/jest-globals.js';
import type { TestBroker } from '../entries/testing.js';
import { SystemClock, sleep } from '../support/clock.js';

const Placed = defineTopic<{ id: string }>('placed', { type: 'fifo' });
const Billed = defineTopic<{ id: string }>('billed', { type: 'normal' });
const HANDLER_MS = 300;

@Injectable()
class Listeners {
  @RocketMQListener(Placed, { consumerGroup: 'stock' })
  async reserve(): Promise<void> {
    await sleep(new SystemClock(), HANDLER_MS);
  }

  @RocketMQListener(Billed, { consumerGroup: 'tills', maxAttempts: 1, deadLetterTopic: 'unbilled' })
  bill({ id }: { id: string }): void {
    if (id === 'broken') throw new Error('cannot bill');
  }
}

async function start(
  broker: TestBroker,
  options: { isOnClock?: boolean; prefix?: string } = {},
): Promise<RocketMQProducer> {
  const { isOnClock = false, prefix = '' } = options;
  broker.declareGroup({ name: `${prefix}stock`, fifo: true });
  const module: TestingModule = await Test.createTestingModule({
    imports: [
      RocketMQModule.forRoot({
        endpoints: broker.endpoints,
        topicPrefix: prefix,
        groupPrefix: prefix,
        ...(isOnClock && { clock: broker.clock }),
      }),
    ],
    providers: [Listeners],
  }).compile();
  module.useLogger(false);
  broker.closeLater(module);
  await module.init();
  return module.get(RocketMQProducer);
}

describe.each([
  ['in real time', { manualClock: false, isOnClock: false }],
  ['with a manual clock that the application has', { manualClock: true, isOnClock: true }],
  ['with a manual clock that the application does not have', { manualClock: true, isOnClock: false }],
])('matchers %s', (_name, { manualClock, isOnClock }) => {
  const broker = useTestBroker({ manualClock });

  it('wait for an ordered listener', async () => {
    const producer = await start(broker(), { isOnClock });
    await producer.send(Placed, { id: '1' }, { messageGroup: 'a' });
    await expect(broker()).toHaveDelivered(Placed, { body: { id: '1' }, times: 1 });
    await producer.send(Placed, { id: '2' }, { messageGroup: 'a' });
    await expect(expect(broker()).not.toHaveDelivered(Placed, { body: { id: '2' } })).rejects.toThrow('found 1');
  });
});

describe('matchers of an application', () => {
  afterEach(() => void jest.useRealTimers());
  const broker = useTestBroker({ manualClock: true });

  it('reject the name of a topic that has a prefix on the cluster', async () => {
    const producer = await start(broker(), { prefix: 'acme-' });
    await expect(broker()).not.toHaveSent(Billed);
    await producer.send(Billed, { id: '1' });
    const rejected = {
      code: 'OTHER_TOPIC_NAME',
      message: expect.stringContaining('there is no topic "billed", but "acme-billed" has messages'),
    };
    await expect(expect(broker()).not.toHaveSent(Billed)).rejects.toMatchObject(rejected);
    await expect(expect(broker()).toHaveDelivered(Billed)).rejects.toMatchObject(rejected);
    await expect(broker()).toHaveDelivered('acme-billed', { body: { id: '1' }, group: 'acme-tills' });
    broker().declareTopic({ name: 'billed' });
    await expect(broker()).not.toHaveSent(Billed);
  });

  it('do not take what a listener passed on to its dead letter topic for delivered', async () => {
    const producer = await start(broker());
    await producer.send(Billed, { id: 'broken' });
    await producer.send(Billed, { id: '1' });
    await expect(broker()).toHaveSent('unbilled', { body: { id: 'broken' }, times: 1 });
    await expect(broker()).not.toHaveDelivered(Billed, { body: { id: 'broken' } });
    await expect(broker()).toHaveDelivered(Billed, { body: { id: '1' }, times: 1 });
    await expect(expect(broker()).toHaveDelivered(Billed, { body: { id: 'broken' } })).rejects.toThrow(
      'group tills: attempt 1, passed on to a deadLetterTopic',
    );
  });

  it('look while a test has fake timers', async () => {
    const producer = await start(broker(), { isOnClock: true });
    await producer.send(Billed, { id: '1' });
    await broker().idle();
    jest.useFakeTimers();
    await expect(broker()).toHaveDelivered(Billed, { body: { id: '1' } });
    await expect(broker()).not.toHaveDelivered(Billed, { times: 2 });
  });
});
