import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { gate } from '../../../../test/fixtures/consumer-bench.js';
import { MemoryStore } from '../../../../test/fixtures/limit-store.js';
import { NestBench } from '../../../../test/fixtures/nest-bench.js';
import { until } from '../../../../tools/until.js';
import { RocketMQHealth, RocketMQListener, RocketMQListeners, RocketMQProducer } from '../entries/nest.js';
import { SECOND_MS } from '../support/clock.js';

describe('a listener with a limit over its group', () => {
  let bench: NestBench;
  let store: MemoryStore;
  let handled: number[];

  beforeEach(async () => {
    bench = await NestBench.open();
    store = new MemoryStore(() => bench.broker.clock.nowMs());
    handled = [];
  });
  afterEach(() => bench.close());

  // Longer than a message is held for its turn (10 s), whatever the time is when the first one begins.
  const rateLimit = { max: 4, perMs: 12 * SECOND_MS, scope: 'group' } as const;

  @Injectable()
  class Limited {
    @RocketMQListener('limited', { consumerGroup: 'limited', rateLimit })
    handle(body: number): void {
      handled.push(body);
    }
  }

  it('shares it with other instances, and says that it is limited', async () => {
    const options = { limitStore: store };
    const apps = [
      await bench.start({ providers: [Limited], options }),
      await bench.start({ providers: [Limited], options }),
    ];
    const [app] = apps;
    for (let body = 0; body < 6; body++) await app?.get(RocketMQProducer).send({ topic: 'limited', body: `${body}` });
    await until(() => handled.length === 4);
    const statuses = () => apps.map((one) => one.get(RocketMQListeners).state('Limited.handle').status);
    await until(() => statuses().includes('limited'));
    await bench.broker.idle();
    expect(handled).toHaveLength(4);
    for (let count = 0; count < 30; count++) await bench.broker.advance(SECOND_MS, { duringWork: true });
    expect([handled.length, statuses()]).toEqual([6, ['listening', 'listening']]);
  });

  it('shares its concurrency with other instances', async () => {
    const { opened, open } = gate();
    let most = 0;
    let running = 0;

    @Injectable()
    class Slow {
      @RocketMQListener('slow', { consumerGroup: 'slow', groupConcurrency: 2 })
      async handle(body: number): Promise<void> {
        most = Math.max(most, ++running);
        await opened;
        running--;
        handled.push(body);
      }
    }

    const parts = { providers: [Slow], options: { limitStore: store } };
    const apps = [await bench.start(parts), await bench.start(parts)];
    for (let body = 0; body < 6; body++) await apps[0]?.get(RocketMQProducer).send({ topic: 'slow', body: `${body}` });
    await until(() => running === 2);
    const statuses = () => apps.map((one) => one.get(RocketMQListeners).state('Slow.handle').status);
    for (let count = 0; count < 4; count++) await bench.broker.advance(SECOND_MS, { duringWork: true });
    expect([running, statuses()]).toEqual([2, ['limited', 'limited']]);
    open();
    for (let count = 0; count < 60; count++) await bench.broker.advance(SECOND_MS / 2, { duringWork: true });
    expect([handled.length, most, statuses()]).toEqual([6, 2, ['listening', 'listening']]);
  });

  it('is not ready while the store does not answer', async () => {
    store.failure = new Error('the database is away');
    const app = await bench.start({ providers: [Limited], options: { limitStore: store } });
    await app.get(RocketMQProducer).send({ topic: 'limited', body: '1' });
    const report = () => app.get(RocketMQHealth).report();
    await until(() => !report().isReady);
    const problem = 'Limited.handle waits for the store of limits, which does not answer: the database is away';
    expect(report().problems).toEqual([expect.stringContaining(problem)]);
    expect([handled, app.get(RocketMQListeners).state('Limited.handle').status]).toEqual([[], 'limited']);
  });

  it('needs a store, and messages that instances share', async () => {
    const start = (options: object) => bench.start({ providers: [Limited], options });
    await expect(start({})).rejects.toThrow(
      'listener Limited.handle: option rateLimit.scope cannot be group: there is no limitStore',
    );
    await expect(start({ limitStore: {} })).rejects.toThrow('option limitStore must be a LimitStore');
    const listeners = { 'Limited.handle': { mode: 'broadcast' } };
    await expect(
      start({ limitStore: store, listeners: { 'Limited.handle': { mode: 'broadcast', groupConcurrency: 1 } } }),
    ).rejects.toThrow('listener Limited.handle: option groupConcurrency cannot be set: instances that broadcast share');
    await expect(start({ limitStore: store, listeners })).rejects.toThrow('instances that broadcast share no messages');
  });
});
