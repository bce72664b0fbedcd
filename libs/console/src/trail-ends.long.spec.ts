// What the page of a message says of its end on a cluster, whose brokers do not report it.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { RocketMQListener, RocketMQModule, RocketMQProducer } from 'nestjs-rocketmq';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { ConsoleBrowser, type Json } from '../../../test/fixtures/console-bench.js';
import { soon } from '../../../tools/until.js';
import { type Lane, lanesOf } from '../web/lib/trail.js';
import { RocketMQConsoleModule } from './mount/module.js';

const steps = (lane: Lane | undefined): readonly unknown[] => [
  lane?.state,
  lane?.tone,
  ...(lane?.spans.map(({ what, tone }) => (tone === undefined ? what : `${what} (${tone})`)) ?? []),
];
const UNKNOWN = 'Delivered; being handled, waiting, handled or filtered out';

describe('the end of a message on a cluster', () => {
  const closers: (() => unknown)[] = [];
  let handle = async (): Promise<void> => {};
  /** Sends a message, and waits for its handler. @returns what the page of the message reads */
  let begin: (handler: () => Promise<void>) => Promise<() => Promise<Json>>;
  let calls = 0;

  beforeEach(async () => {
    @Injectable()
    class Billing {
      @RocketMQListener('orders', { consumerGroup: 'billing', backoff: 60_000 })
      async bill(): Promise<void> {
        calls++;
        await handle();
      }
    }
    calls = 0;
    const [topics, groups] = [[{ name: 'orders' }], [{ name: 'billing' }]];
    const broker = await TestBroker.start({ strict: true, nameServerPort: 0, topics, groups });
    closers.push(() => broker.stop());
    const rocketmq = RocketMQModule.forRoot({ endpoints: broker.endpoints, nameServer: broker.nameServerEndpoint });
    const imports = [rocketmq, RocketMQConsoleModule.forRoot({})];
    const app = (await Test.createTestingModule({ imports, providers: [Billing] }).compile()).createNestApplication({
      logger: false,
    });
    await app.listen(0, '127.0.0.1');
    closers.push(() => app.close());
    const browser = new ConsoleBrowser(`${await app.getUrl()}/rocketmq`);
    begin = async (handler) => {
      handle = handler;
      const { messageId } = await app.get(RocketMQProducer).send({ topic: 'orders', body: '"x"' });
      await soon(() => calls === 1);
      return async () => (await browser.get(`/api/topics/orders/messages/${messageId}`)).body;
    };
  });
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  it('is not known while its handler runs, and known when that succeeded', async () => {
    let end = (): void => {};
    const page = await begin(() => new Promise((resolve) => (end = resolve)));
    expect(steps(lanesOf(await page(), Date.now())[1])).toEqual([
      'delivered, its end is not known',
      undefined,
      UNKNOWN,
    ]);
    end();
    await soon(async () => (await page()).attempts.length === 1);
    expect(steps(lanesOf(await page(), Date.now())[1])).toEqual(['handled', 'good', 'Delivery 1, handled (good)']);
  });

  it('is open while it waits for the retry that this instance asked for, and not known after that', async () => {
    const page = await begin(() => Promise.reject(new Error('card declined')));
    await soon(async () => (await page()).attempts.length === 1);
    const failed = 'Delivery 1, handler failed (bad)';
    const now = lanesOf(await page(), Date.now())[1];
    expect(steps(now)).toEqual(['waiting', 'warn', failed, 'Waits for delivery 2 (wait)']);
    const later = lanesOf(await page(), Date.now() + 61_000)[1];
    expect(steps(later)).toEqual(['delivered, its end is not known', undefined, UNKNOWN, failed]);
  });
});

describe('a trail', () => {
  const stored = (storeTimestampMs: number, more: object = {}) => ({
    ...{ topic: 't', messageId: 'm', broker: 'b', queueId: 0, queueOffset: '0', bornHost: 'p', keys: [] },
    ...{ properties: {}, systemProperties: {}, bornTimestampMs: 1, storeTimestampMs, isPassed: true, ...more },
  });
  const laneOf = (group: { copies: readonly object[] }, more: object = {}): Lane | undefined => {
    const groups = [{ consumerGroup: 'g', retries: [], deadLetters: [], ...group }];
    const empty = { halfMessages: [], givenUp: [], delayed: [], recalls: [] };
    return lanesOf({ ...empty, stored: group.copies, groups, ...more } as never, 1_000_000)[1];
  };

  it('has a message that another topic has as a dead letter as dead', () => {
    const call = { consumerGroup: 'g', deliveryAttempt: 1, startedAtMs: 2_000, endedAtMs: 2_100 };
    const dead = { ...call, error: 'no', next: 'dead letter, not-retryable', isDeadLetter: true };
    const lane = laneOf({ copies: [stored(1_000)] }, { attempts: [dead] });
    expect(steps(lane)).toEqual(['dead letter', 'bad', 'Delivery 1, handler failed (bad)']);
  });

  it('says that an ordered group has settled what it has passed', () => {
    const lane = laneOf({ copies: [stored(1_000)], isOrdered: true } as never);
    expect(steps(lane)).toEqual(['handled or filtered out', 'good', 'Handled, or filtered out (good)']);
  });

  it('keeps the deliveries of two copies apart that are redelivered at the same time', () => {
    const retry = (atMs: number, attempt: number, firstReceivedMs: number) =>
      stored(atMs, { attempt, firstReceivedMs, reconsumeTimes: attempt - 1 });
    const lane = laneOf({
      copies: [stored(1_000), stored(1_001)],
      retries: [retry(11_000, 2, 1_000), retry(11_001, 2, 1_001), retry(41_000, 3, 1_000), retry(41_001, 3, 1_001)],
      deadLetters: [stored(101_000, { reconsumeTimes: 3 }), stored(101_001, { reconsumeTimes: 3 })],
    } as never);
    const [first, second] = ['Delivery 1 failed, then backoff', 'Delivery 2 failed, then backoff'];
    const ends = ['Delivery 3 failed', 'Dead letter after 3 deliveries (bad)'];
    const twice = [first, second, ...ends].flatMap((one) => [one, one]);
    expect(steps(lane)).toEqual(['dead letter', 'bad', ...twice]);
  });
});
