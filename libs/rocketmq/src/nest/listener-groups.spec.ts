// Listeners of one group: one consumer, and each message goes to the matching listener.

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { NestBench } from '../../../../test/fixtures/nest-bench.js';
import { until } from '../../../../tools/until.js';
import {
  type RocketMQContext,
  RocketMQHealth,
  RocketMQListener,
  RocketMQListeners,
  RocketMQProducer,
  SECOND_MS,
} from '../entries/nest.js';

let bench: NestBench;

beforeAll(async () => {
  bench = await NestBench.open();
});
afterEach(() => bench.closeApps());
afterAll(() => bench.close());

describe('listeners of one group', () => {
  const calls: string[] = [];
  let release: () => void = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });

  @Injectable()
  class Orders {
    @RocketMQListener('orders', { filter: 'created || changed', concurrency: 1 })
    async slow(body: string): Promise<void> {
      calls.push(`begin ${body}`);
      await released;
    }

    @RocketMQListener('orders', { filter: 'paid', concurrency: 1 })
    async paid(body: string, { message }: RocketMQContext): Promise<void> {
      calls.push(`paid ${body} ${message.tag}`);
    }

    @RocketMQListener('returns')
    async returned(body: string): Promise<void> {
      calls.push(`returned ${body}`);
    }
  }

  it('share one consumer; a busy listener does not delay the others', async () => {
    const app = await bench.start({ providers: [Orders], options: { consumerGroup: 'shop' } });
    const producer = app.get(RocketMQProducer);
    const send = (topic: string, tag: string, body: string) =>
      producer.send({ topic, tag, body: JSON.stringify(body) });
    for (const body of ['a', 'b', 'c']) await send('orders', 'created', body);
    await send('orders', 'unwanted', 'd');
    await send('orders', 'paid', 'e');
    await send('returns', 'any', 'f');
    await until(() => calls.length >= 3);
    expect([...calls].sort()).toEqual(['begin a', 'paid e paid', 'returned f']);
    expect(bench.broker.inFlight().every(({ group }) => group === 'shop')).toBe(true);
    release();
    await bench.broker.idle();
    expect(calls.filter((call) => call.startsWith('begin')).sort()).toEqual(['begin a', 'begin b', 'begin c']);
    expect([bench.deadLetters('shop'), bench.retries('shop')]).toEqual([[], []]);
  });

  it('are rejected at startup when they match the same messages, and both are named', async () => {
    @Injectable()
    class Others {
      @RocketMQListener('orders', { filter: 'paid', name: 'invoice' })
      async invoice(): Promise<void> {}
    }
    await expect(bench.start({ providers: [Orders, Others], options: { consumerGroup: 'shop' } })).rejects.toThrow(
      /FILTERS_OVERLAP.*Orders\.paid and invoice \(Others\.invoice\).*"orders".*"shop".*tag "paid"/,
    );
  });
});

describe('RocketMQListeners', () => {
  const calls: string[] = [];

  @Injectable()
  class Pausable {
    @RocketMQListener('pausable', { consumerGroup: 'pausable', name: 'even', filter: 'even' })
    async even(body: number, { deliveryAttempt }: RocketMQContext): Promise<void> {
      calls.push(`even ${body} ${deliveryAttempt}`);
    }

    @RocketMQListener('pausable', { consumerGroup: 'pausable', name: 'odd', filter: 'odd' })
    async odd(body: number): Promise<void> {
      calls.push(`odd ${body}`);
    }

    @RocketMQListener('nobody', { consumerGroup: 'nobody', enabled: false })
    async off(): Promise<void> {}
  }

  it('lists listeners with their states, pauses one, and resumes it', async () => {
    let listeners: RocketMQListeners | undefined;
    const prepare = (app: { get(token: typeof RocketMQListeners): RocketMQListeners }) => {
      listeners = app.get(RocketMQListeners);
      expect(listeners.states()).toEqual([]);
      expect(() => listeners?.pause('even')).toThrow('there are none (yet)');
    };
    const app = await bench.start({ providers: [Pausable], prepare });
    if (listeners === undefined) throw new Error('not prepared');
    const base = { topic: 'pausable', consumerGroup: 'pausable', concurrency: 16, running: 0 };
    expect(listeners.states()).toEqual([
      { ...base, name: 'even', filter: 'even', status: 'listening' },
      { ...base, name: 'odd', filter: 'odd', status: 'listening' },
    ]);
    listeners.pause('even');
    const producer = app.get(RocketMQProducer);
    for (const body of [1, 2, 3]) {
      await producer.send({ topic: 'pausable', tag: body % 2 === 0 ? 'even' : 'odd', body: String(body) });
    }
    await bench.broker.idle();
    expect([...calls].sort()).toEqual(['odd 1', 'odd 3']);
    expect(listeners.state('even').status).toBe('paused');
    await bench.broker.advance(25 * SECOND_MS);
    listeners.resume('even');
    await bench.broker.advance(10 * SECOND_MS);
    expect(calls).toContain('even 2 1');
    expect(() => listeners?.state('Pausable.off')).toThrow(/UNKNOWN_LISTENER.*they are even, odd/);
    await bench.closeApps();
    expect(listeners.state('even').status).toBe('closed');
  });

  it('gives a listener no more messages than its limit, and says so', async () => {
    const handled: number[] = [];
    @Injectable()
    class Limited {
      @RocketMQListener('limited', { consumerGroup: 'limited', rateLimit: { max: 1_000, perMs: 1 } })
      async handle(body: number): Promise<void> {
        handled.push(body);
      }
    }
    const listeners = { 'Limited.handle': { rateLimit: { max: 2, perMs: 10 * SECOND_MS } } };
    const app = await bench.start({ providers: [Limited], options: { listeners } });
    const producer = app.get(RocketMQProducer);
    for (const body of [1, 2, 3]) await producer.send({ topic: 'limited', body: String(body) });
    await until(() => handled.length === 2);
    await bench.broker.idle();
    const { status } = app.get(RocketMQListeners).state('Limited.handle');
    const [consumer] = app.get(RocketMQHealth).report().consumers;
    expect([status, consumer?.health?.limited, handled.length]).toEqual(['limited', ['Limited.handle'], 2]);
    await bench.broker.advance(10 * SECOND_MS);
    expect([handled.length, app.get(RocketMQListeners).state('Limited.handle').status]).toEqual([3, 'listening']);
  });
});
