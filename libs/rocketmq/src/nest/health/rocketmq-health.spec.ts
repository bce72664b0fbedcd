// When a connection is ready, and what it reports when it is not.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Injectable } from '@nestjs/common';
import { EventPattern } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { NestBench } from '../../../../../test/fixtures/nest-bench.js';
import { until } from '../../../../../tools/until.js';
import {
  RocketMQHealth,
  RocketMQListener,
  RocketMQListeners,
  RocketMQModule,
  RocketMQProducer,
  ServerRocketMQ,
} from '../../entries/nest.js';
import { MINUTE_MS } from '../../support/clock.js';
import { fakeProducer } from '../../testing/fake-producer.js';
import type { HealthSource } from './rocketmq-health.js';

let release = (): void => {};

@Injectable()
class Shop {
  @RocketMQListener('orders', { consumerGroup: 'shop', name: 'orders' })
  async handle(): Promise<void> {
    await new Promise<void>((resolve) => {
      release = resolve;
    });
  }
}

describe('the health of a connection', () => {
  let bench: NestBench;

  beforeEach(async () => {
    bench = await NestBench.open();
  });
  afterEach(() => bench.close());

  it('is ready with everything that was started, and reports the producer and each consumer', async () => {
    const app = await bench.start({ providers: [Shop] });
    const health = app.get(RocketMQHealth);
    expect(health.report()).toEqual({
      connection: undefined,
      phase: 'running',
      isReady: true,
      problems: [],
      unconnectedHandlers: [],
      producer: {
        clientId: expect.any(String),
        sessions: [{ endpoint: bench.broker.endpoints, status: 'ready', error: undefined }],
      },
      consumers: [
        {
          consumerGroup: 'shop',
          listeners: ['orders'],
          status: 'running',
          health: expect.objectContaining({ consumerGroup: 'shop', unsettled: 0, settleLagMs: 0 }),
        },
      ],
    });
    expect(() => health.report({ maxSettleLagMs: -1 })).toThrow('maxSettleLagMs must be a number of at least 1');
    expect(() => health.report({ maxSettleLag: 5 } as object)).toThrow('maxSettleLag is unknown; the options are');
    await bench.closeApps();
    expect(health.report()).toMatchObject({ phase: 'closed', isReady: false, problems: ['RocketMQ: it is closed'] });
  });

  it('names the client and the server when a server is unreachable, and is ready again when it is back', async () => {
    const app = await bench.start({ providers: [Shop] });
    const health = app.get(RocketMQHealth);
    await bench.broker.stop();
    await until(() => health.report().problems.length >= 2);
    const { problems } = health.report();
    expect(problems[0]).toMatch(
      /^RocketMQ: the producer is connected to no server \(127\.0\.0\.1:\d+ is away, .*UNAVAILABLE/,
    );
    expect(problems[1]).toMatch(
      /^RocketMQ: consumer group "shop": it is connected to no server \(127\.0\.0\.1:\d+ is away/,
    );
    await bench.broker.broker.start();
    // A poll that waits for messages proves nothing yet; one that returns messages does.
    await until(() => health.report().producer?.sessions[0]?.status === 'ready');
    await app.get(RocketMQProducer).send({ topic: 'orders', body: '1' });
    await until(() => health.report().isReady);
    release();
  });

  it('reports how long messages wait for their settlement, and is not ready beyond a given limit', async () => {
    const app = await bench.start({ providers: [Shop] });
    const health = app.get(RocketMQHealth);
    await app.get(RocketMQProducer).send({ topic: 'orders', body: '1' });
    await bench.broker.advance(MINUTE_MS, { duringWork: true });
    expect(health.report().isReady).toBe(true);
    expect(health.report().consumers[0]?.health).toMatchObject({ unsettled: 1, settleLagMs: MINUTE_MS });
    expect(health.report({ maxSettleLagMs: 10_000 }).problems).toEqual([
      'RocketMQ: consumer group "shop": the oldest of its 1 unsettled messages was received 60000 ms ago',
    ]);
    release();
  });

  it('reports a poll without an answer for long, including the first one, but not of a paused listener', async () => {
    const app = await bench.start({ providers: [Shop] });
    const health = app.get(RocketMQHealth);
    const overdue = (): boolean => health.report({ maxReceiveAgeMs: 1 }).problems.join().includes('has had no answer');
    await until(overdue);
    app.get(RocketMQListeners).pause('orders');
    expect(overdue()).toBe(false);
  });

  it('names a server that rejects a consumer beside one that serves it: what it has for the consumer waits for an operator', async () => {
    const app = await bench.start({ providers: [Shop] });
    const [consumer] = app.get(RocketMQHealth).report().consumers;
    const sessions = [
      ...(consumer?.health?.sessions ?? []),
      { endpoint: 'broker-1', status: 'rejected', error: 'the group is not ordered there' },
    ];
    const source = {
      connectionPhase: 'running',
      producer: { sessions: sessions.slice(0, 1) },
      consumers: [{ consumerGroup: 'shop', listeners: [] }],
      consumerOf: () => ({ health: { ...consumer?.health, sessions } }),
    };
    const health = new RocketMQHealth(undefined, () => [source as unknown as HealthSource]);
    const problem =
      'RocketMQ: consumer group "shop": broker-1 rejects it, so messages there wait: the group is not ordered there';
    expect(health.report()).toMatchObject({ isReady: false, problems: [problem] });
  });

  it('names a queue that a message holds up: what is behind it waits', async () => {
    const app = await bench.start({ providers: [Shop] });
    const [consumer] = app.get(RocketMQHealth).report().consumers;
    const heldUp = [{ topic: 'orders', brokerName: 'broker-a', queueId: 3, messageId: 'ID', behind: 2_000 }];
    const source = {
      connectionPhase: 'running',
      producer: { sessions: consumer?.health?.sessions },
      consumers: [{ consumerGroup: 'shop', listeners: [] }],
      consumerOf: () => ({ health: { ...consumer?.health, heldUp } }),
    };
    const health = new RocketMQHealth(undefined, () => [source as unknown as HealthSource]);
    const problem =
      'RocketMQ: consumer group "shop": queue 3 of topic "orders" on broker "broker-a" is held up: message ID is not settled, with 2000 messages behind it';
    expect(health.report()).toMatchObject({ isReady: false, problems: [problem] });
  });

  it('does not count a consumer that the transport strategy has yet to start', async () => {
    @Controller()
    class Orders {
      @EventPattern<string>('orders', { consumerGroup: 'pattern' })
      handle(): void {}
    }
    const app = await bench.start({
      controllers: [Orders],
      prepare: (starting) => starting.connectMicroservice({ strategy: starting.get(ServerRocketMQ) }),
    });
    const health = app.get(RocketMQHealth);
    expect(health.report()).toMatchObject({
      isReady: true,
      consumers: [{ consumerGroup: 'pattern', status: 'waiting' }],
    });
    await app.startAllMicroservices();
    expect(health.report()).toMatchObject({
      isReady: true,
      consumers: [{ consumerGroup: 'pattern', status: 'running' }],
    });
  });

  it("is ready with a test's producer, and idle before the start", async () => {
    const compiled = await Test.createTestingModule({
      imports: [RocketMQModule.forRoot({ endpoints: 'localhost:1' })],
    })
      .overrideProvider(RocketMQProducer)
      .useValue(fakeProducer())
      .compile();
    expect(compiled.get(RocketMQHealth).report()).toMatchObject({ phase: 'idle', isReady: false });
    await compiled.init();
    expect(compiled.get(RocketMQHealth).report()).toMatchObject({ phase: 'detached', isReady: true });
    await compiled.close();
  });
});
