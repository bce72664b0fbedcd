// Applications whose server is unreachable at startup: those that wait for it, those that run without it, and what they report meanwhile.

import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Injectable, type Provider } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { Test, type TestingModule } from '@nestjs/testing';
import { recordingLogger } from '../../../../../test/fixtures/nest-bench.js';
import { startScriptedServer } from '../../../../../test/fixtures/scripted-remoting-server.js';
import { takePortBlock } from '../../../../../tools/ports.js';
import { until } from '../../../../../tools/until.js';
import {
  defineTopic,
  RocketMQEvents,
  RocketMQHealth,
  RocketMQListener,
  RocketMQListeners,
  RocketMQModule,
  type RocketMQModuleOptions,
  RocketMQProducer,
  RocketMQRequester,
  ServerRocketMQ,
} from '../../entries/nest.js';
import { TestBroker, type TestBrokerOptions } from '../../testing/test-broker.js';

const Orders = defineTopic<{ id: string }>('orders', { type: 'fifo' });

@Injectable()
class Shop {
  readonly handled: string[] = [];

  @RocketMQListener(Orders, { consumerGroup: 'shop' })
  handle({ id }: { id: string }): void {
    this.handled.push(id);
  }
}

let broker: TestBroker | undefined;
let app: TestingModule | undefined;
let release: (() => Promise<void>) | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
  await broker?.stop();
  await release?.();
  release = undefined;
});

/** A broker that has an address, but does not run. No outgoing connection can take its port meanwhile. */
async function absentBroker(options: TestBrokerOptions = {}): Promise<string> {
  const ports = await takePortBlock();
  release = ports.release;
  broker = await TestBroker.start({ port: ports.first, groups: [{ name: 'shop', fifo: true }], ...options });
  const { endpoints } = broker;
  await broker.stop();
  return endpoints;
}

async function start(options: RocketMQModuleOptions, providers: Provider[] = [Shop]): Promise<TestingModule> {
  const imports = [RocketMQModule.forRoot({ startTimeoutMs: 300, ...options })];
  app = await Test.createTestingModule({ imports, providers }).compile();
  await app.init();
  return app;
}

describe('an application whose server is unreachable at startup', () => {
  it('does not start, by default, when the server is not reachable in time', async () => {
    const endpoints = await absentBroker();
    await expect(start({ endpoints, logger: recordingLogger() })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    app = undefined;
  });

  it('starts when the server is reachable in time', async () => {
    const endpoints = await absentBroker();
    const starting = start({ endpoints, startTimeoutMs: 30_000, logger: recordingLogger() });
    await new Promise((resolve) => setImmediate(resolve));
    await broker?.broker.start();
    await starting;
    expect(app?.get(RocketMQHealth).report()).toMatchObject({ phase: 'running', isReady: true, problems: [] });
  });

  it('starts without it in degraded mode: sends fail with the reason, and everything starts when the server is reachable', async () => {
    const endpoints = await absentBroker();
    const logger = recordingLogger();
    const seen: string[] = [];
    @Injectable()
    class Watcher {
      constructor(events: RocketMQEvents) {
        events.events$.subscribe((event) =>
          seen.push('reason' in event ? `${event.type} ${event.reason}` : event.type),
        );
      }
    }
    const running = await start({ endpoints, logger, whenUnavailable: 'degraded' }, [Shop, Watcher]);
    const producer = running.get(RocketMQProducer);
    await expect(producer.send(Orders, { id: 'early' }, { messageGroup: 'a' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      outcome: 'not-sent',
      retryable: true,
      message: expect.stringContaining('no server could be reached'),
    });
    const report = running.get(RocketMQHealth).report();
    expect(report).toMatchObject({ phase: 'starting', isReady: false });
    expect(report.problems).toEqual([
      expect.stringMatching(/^RocketMQ: its startup is not complete, no server can be reached: .*UNAVAILABLE/),
    ]);
    expect(report.consumers).toMatchObject([{ consumerGroup: 'shop', listeners: ['Shop.handle'], status: 'waiting' }]);
    expect(running.get(RocketMQListeners).state('Shop.handle').status).toBe('idle');
    await broker?.broker.start();
    const shop = running.get(Shop);
    await until(() => running.get(RocketMQHealth).report().isReady);
    await producer.send(Orders, { id: 'late' }, { messageGroup: 'a' });
    await until(() => shop.handled.length > 0);
    expect(shop.handled).toEqual(['late']);
    expect(seen).toEqual(['start-delayed away', 'connected', 'connected', 'start-completed']);
    expect(logger.lines.filter(([line]) => line.startsWith('warn no server can be reached'))).toHaveLength(1);
  });

  it('reports what does not fit when the server is reachable, is not ready until that is fixed, and then starts', async () => {
    const endpoints = await absentBroker({ strict: true });
    const logger = recordingLogger();
    const running = await start({ endpoints, logger, topics: [Orders], whenUnavailable: 'degraded' });
    await broker?.broker.start();
    const health = running.get(RocketMQHealth);
    await until(() => health.report().problems.some((problem) => problem.includes('TOPIC_NOT_FOUND')));
    expect(health.report().problems).toEqual([
      expect.stringContaining('the declared topics and groups do not fit the server'),
    ]);
    const errors = logger.lines.filter(([line]) => line.startsWith('error '));
    expect(errors.map(([, { error }]) => error)).toEqual([expect.stringContaining('topic "orders" does not exist')]);
    await expect(running.get(RocketMQProducer).send(Orders, { id: 'x' }, { messageGroup: 'a' })).rejects.toThrow(
      'does not exist',
    );
    broker?.declareTopic({ name: 'orders', type: 'fifo' });
    await until(() => health.report().isReady);
  });

  it('fails at startup in any case when the server is reachable and a topic does not fit', async () => {
    broker = await TestBroker.start({ strict: true, topics: [{ name: 'orders' }], groups: [{ name: 'shop' }] });
    const { endpoints } = broker;
    await expect(start({ endpoints, logger: recordingLogger(), whenUnavailable: 'degraded' })).rejects.toMatchObject({
      code: 'TOPIC_TYPE_MISMATCH',
    });
    app = undefined;
  });

  it('starts each consumer that it can: one whose group does not fit does not delay the others', async () => {
    @Injectable()
    class Other {
      readonly handled: string[] = [];

      @RocketMQListener('plain', { consumerGroup: 'other' })
      handle(body: string): void {
        this.handled.push(body);
      }
    }
    const endpoints = await absentBroker({
      strict: true,
      topics: [{ name: 'orders', type: 'fifo' }, { name: 'plain' }],
      groups: [{ name: 'other' }],
    });
    const running = await start({ endpoints, logger: recordingLogger(), whenUnavailable: 'degraded' }, [Shop, Other]);
    await broker?.broker.start();
    await until(() => running.get(RocketMQListeners).state('Other.handle').status === 'listening');
    await running.get(RocketMQProducer).send({ topic: 'plain', body: '"one"' });
    await until(() => running.get(Other).handled.length > 0);
    expect(running.get(RocketMQHealth).report().problems[0]).toContain('consumer group "shop" does not exist');
  });

  it('starts handlers of the transport strategy and requests with the rest, and reports when they receive messages', async () => {
    @Controller()
    class Prices {
      @MessagePattern<string>('prices', { consumerGroup: 'prices' })
      price({ sku }: { sku: string }): { readonly of: string } {
        return { of: sku };
      }
    }
    const endpoints = await absentBroker({ nameServerPort: 0 });
    const { nameServerEndpoint: nameServer } = broker as TestBroker;
    const options = { endpoints, nameServer, requests: { application: 'shop' }, whenUnavailable: 'degraded' } as const;
    const module = RocketMQModule.forRoot({ ...options, startTimeoutMs: 300, logger: recordingLogger() });
    const compiled = await Test.createTestingModule({ imports: [module], controllers: [Prices] }).compile();
    app = compiled;
    const running = compiled.createNestApplication({ logger: false });
    const server = running.get(ServerRocketMQ);
    const statuses: string[] = [];
    server.status.subscribe((status) => statuses.push(status));
    running.connectMicroservice({ strategy: server });
    await running.startAllMicroservices();
    await running.init();
    const requester = running.get(RocketMQRequester);
    await expect(requester.request('prices', { sku: 'a' })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(statuses).toEqual(['waiting']);
    await broker?.broker.start();
    await until(() => statuses.length > 1);
    expect(await requester.request('prices', { sku: 'a' })).toEqual({ of: 'a' });
    await running.close();
    expect(statuses).toEqual(['waiting', 'listening', 'draining', 'closed']);
  });

  it('shuts down at once while it waits for a name server that does not answer', async () => {
    broker = await TestBroker.start();
    const silent = await startScriptedServer(() => undefined);
    const { endpoints } = broker;
    const options = { endpoints, nameServer: silent.address, requests: { application: 'shop' } } as const;
    const running = await start({ ...options, logger: recordingLogger(), whenUnavailable: 'degraded' });
    const asked = silent.requests.length;
    await until(() => silent.requests.length > asked);
    const slow = new Promise((resolve) => setTimeout(resolve, 1_500, 'slow').unref());
    expect(await Promise.race([running.close().then(() => 'closed'), slow])).toBe('closed');
    await silent.close();
  });

  it('shuts down at once while it waits', async () => {
    const endpoints = await absentBroker();
    const running = await start({ endpoints, logger: recordingLogger(), whenUnavailable: 'degraded' });
    await running.close();
    app = undefined;
    expect(running.get(RocketMQHealth).report().phase).toBe('closed');
    await expect(running.get(RocketMQProducer).send({ topic: 'a', body: 'b' })).rejects.toThrow('NOT_RUNNING');
  });
});
