// Messages in flight while their bodies change: delayed, dead-lettered and replayed, of older and newer versions.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, type Type } from '@nestjs/common';
import { z } from 'zod';
import { NestBench } from '../../../../test/fixtures/nest-bench.js';
import type { RocketMQAdmin } from '../admin/rocketmq-admin.js';
import {
  BODY_VERSION_PROPERTY,
  defineTopic,
  InjectRocketMQAdmin,
  RocketMQListener,
  type RocketMQListenerOptions,
  RocketMQProducer,
  type TopicDefinition,
} from '../entries/nest.js';
import { MINUTE_MS } from '../support/clock.js';
import { outboxMessage } from './sending/outbox-message.js';

interface Line {
  readonly sku: string;
  readonly quantity: number;
}

const Lines = z.object({ lines: z.array(z.object({ sku: z.string(), quantity: z.number() })), currency: z.string() });

const steps = {
  1: ({ sku, quantity }: Line) => ({ lines: [{ sku, quantity }] }),
  2: async (body: { readonly lines: readonly Line[] }) => ({ ...body, currency: 'EUR' }),
};

/** The same topic in three releases. */
const releases = (name: string, type: 'normal' | 'delay') => ({
  first: defineTopic(name, { type, schema: z.object({ sku: z.string(), quantity: z.number() }) }),
  second: defineTopic(name, {
    type,
    version: 2,
    schema: z.object({ lines: z.array(z.object({ sku: z.string(), quantity: z.number() })) }),
    upgrade: { 1: steps[1] },
  }),
  third: defineTopic(name, { type, version: 3, schema: Lines, upgrade: steps }),
});

let bench: NestBench;
let seen: unknown[];
let failing: boolean;
beforeEach(async () => {
  bench = await NestBench.open({ nameServerPort: 0 });
  seen = [];
  failing = false;
});
afterEach(() => bench.close());

function listenerOf(topic: TopicDefinition, more: Pick<RocketMQListenerOptions, 'retryOn' | 'deadLetterOn'> = {}) {
  @Injectable()
  class Picking {
    constructor(@InjectRocketMQAdmin() readonly admin: RocketMQAdmin) {}

    @RocketMQListener(topic, { consumerGroup: 'picking', backoff: MINUTE_MS, maxAttempts: 2, ...more })
    async pick(body: unknown): Promise<void> {
      if (failing) throw new Error('out of order');
      seen.push(body);
    }
  }
  return Picking;
}

const started = (type: Type) =>
  bench.start({ providers: [type], options: { nameServer: bench.broker.nameServerEndpoint } });

const lamp = { sku: 'lamp', quantity: 1 };
const lampNow = { lines: [lamp], currency: 'EUR' };

describe('a message of an older version', () => {
  it('is upgraded step by step before the schema sees it, also one that was delayed', async () => {
    const { first, second, third } = releases('orders', 'delay');
    const app = await bench.start({});
    const producer = app.get(RocketMQProducer);
    await producer.send(first as TopicDefinition<unknown, unknown>, lamp, { delayMs: MINUTE_MS });
    await producer.send(second as TopicDefinition<unknown, unknown>, { lines: [lamp, lamp] }, { delayMs: MINUTE_MS });
    await producer.send(third as TopicDefinition<unknown, unknown>, lampNow, { delayMs: MINUTE_MS });
    await started(listenerOf(third));
    await bench.broker.advance(2 * MINUTE_MS);
    expect(seen).toHaveLength(3);
    expect(seen).toEqual(expect.arrayContaining([lampNow, { lines: [lamp, lamp], currency: 'EUR' }, lampNow]));
    const versions = bench.broker.messages('orders').map(({ properties }) => properties[BODY_VERSION_PROPERTY]);
    expect(versions.sort()).toEqual(['2', '3', undefined]);
  });

  it('is upgraded when it is replayed from the dead letters of an older release', async () => {
    const { first, third } = releases('orders', 'normal');
    failing = true;
    const old = await started(listenerOf(first));
    await old.get(RocketMQProducer).send(first as TopicDefinition<unknown, unknown>, lamp);
    await bench.broker.advance(5 * MINUTE_MS);
    await bench.closeApps();
    failing = false;
    const Newer = listenerOf(third);
    const newer = await started(Newer);
    await newer.get(Newer).admin.replayDeadLetters('picking');
    await bench.broker.advance(MINUTE_MS);
    expect(seen).toEqual([lampNow]);
  });

  it('is upgraded when it went through the outbox, which marks the version', async () => {
    const { second, third } = releases('orders', 'normal');
    const app = await started(listenerOf(third));
    const message = await outboxMessage(second, { lines: [lamp] }, { properties: { tenant: 'a' } });
    expect(message.properties).toEqual({ [BODY_VERSION_PROPERTY]: '2', tenant: 'a' });
    await app.get(RocketMQProducer).send(message);
    await bench.broker.idle();
    expect(seen).toEqual([lampNow]);
  });

  it('is invalid when a step fails or is missing; the text has nothing of the body', async () => {
    const broken = defineTopic('orders', {
      type: 'normal',
      version: 3,
      upgrade: {
        2: (body) => {
          throw new Error(`no ${JSON.stringify(body)}`);
        },
      },
    });
    const app = await started(listenerOf(broken));
    const send = (version: string) =>
      app
        .get(RocketMQProducer)
        .send({ topic: 'orders', body: '"secret"', properties: { [BODY_VERSION_PROPERTY]: version } });
    for (const version of ['1', '2', 'x']) await send(version);
    await bench.broker.idle();
    expect(seen).toEqual([]);
    const reasons = bench.broker.messages('%DLQ%picking').map(({ properties }) => JSON.stringify(properties));
    expect(reasons).toHaveLength(3);
    expect(reasons.join()).not.toContain('secret');
  });
});

describe('a message that is made of another one', () => {
  it('has the version of its own topic, whatever properties are passed on', async () => {
    const { first, second } = releases('orders', 'normal');
    const app = await bench.start({});
    const properties = { [BODY_VERSION_PROPERTY]: '7', tenant: 'a' };
    const producer = app.get(RocketMQProducer);
    await producer.send(first as TopicDefinition<unknown, unknown>, lamp, { properties });
    await producer.send(second as TopicDefinition<unknown, unknown>, { lines: [lamp] }, { properties });
    await producer.send({ topic: 'orders', body: lamp, properties });
    expect(bench.broker.messages('orders').map((message) => message.properties)).toEqual([
      { tenant: 'a' },
      { tenant: 'a', [BODY_VERSION_PROPERTY]: '2' },
      properties,
    ]);
  });
});

describe('a message of a newer version', () => {
  it.each([
    ['retryOn', { retryOn: [RangeError] }],
    ['deadLetterOn', { deadLetterOn: () => true }],
  ])('is retried whatever %s says, also when it cannot be decoded', async (_, options) => {
    const topic = defineTopic('orders', { type: 'normal' });
    const app = await bench.start({
      providers: [listenerOf(topic, options)],
      options: { nameServer: bench.broker.nameServerEndpoint },
    });
    const properties = { [BODY_VERSION_PROPERTY]: '2' };
    await app.get(RocketMQProducer).send({ topic: 'orders', body: 'sku=1', properties });
    await bench.broker.idle();
    expect([bench.retries('picking').length, bench.deadLetters('picking')]).toEqual([1, []]);
    await bench.broker.advance(5 * MINUTE_MS);
    expect(bench.deadLetters('picking')).toEqual(['sku=1']);
  });

  it('is handled where it fits, and otherwise retried, for an instance of a newer release', async () => {
    const { first, second, third } = releases('orders', 'normal');
    const older = await started(listenerOf(second));
    const producer = older.get(RocketMQProducer);
    await producer.send(third as TopicDefinition<unknown, unknown>, lampNow);
    await bench.broker.idle();
    expect(seen.splice(0)).toEqual([{ lines: [lamp] }]);
    await bench.closeApps();

    const oldest = await started(listenerOf(first));
    await oldest.get(RocketMQProducer).send(third as TopicDefinition<unknown, unknown>, lampNow);
    await bench.broker.idle();
    await bench.closeApps();
    expect([seen, bench.deadLetters('picking')]).toEqual([[], []]);
    await started(listenerOf(third));
    await bench.broker.advance(5 * MINUTE_MS);
    expect(seen).toEqual([lampNow]);
  });
});

describe('defineTopic', () => {
  it.each([
    [{ version: 0 }, 'version'],
    [{ version: 1.5 }, 'version'],
    [{ version: '2' as unknown as number }, 'version'],
    [{ upgrade: { 1: () => 1 } }, 'upgrade'],
    [{ version: 3, upgrade: { 3: () => 1 } }, 'upgrade'],
    [{ version: 3, upgrade: { 1: () => 1 } }, 'upgrade'],
    [{ version: 2, upgrade: { 1: 'x' as never } }, 'upgrade'],
    [{ version: 2, upgrade: null as never }, 'upgrade'],
  ])('rejects %p', (options, field) => {
    const define = () => defineTopic('orders', { type: 'normal', ...options });
    expect(define).toThrow(expect.objectContaining({ code: 'ILLEGAL_OPTION', field }));
  });
});
