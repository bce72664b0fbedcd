// Handlers of patterns whose microservice is not connected or not started: the application says so.

import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, type INestApplicationContext, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, MessagePattern, Transport } from '@nestjs/microservices';
import { recordingLogger } from '../../../../../test/fixtures/nest-bench.js';
import { isNest10 } from '../../../../../test/fixtures/nest-version.js';
import { PatternBench } from '../../../../../test/fixtures/pattern-bench.js';
import {
  defineRequest,
  getRocketMQHealthToken,
  ROCKETMQ_TRANSPORT,
  RocketMQHealth,
  RocketMQListener,
  RocketMQListeners,
  RocketMQModule,
  RocketMQReply,
  rocketMQTransport,
  ServerRocketMQ,
} from '../../entries/nest.js';
import { SECOND_MS } from '../../support/clock.js';

const bench = PatternBench.ofFile();
const Cheapest = defineRequest('cheapest');

@Controller()
class Offers {
  @RocketMQReply(Cheapest)
  cheapest(): string {
    return 'tea';
  }

  @EventPattern<string>('offers', ROCKETMQ_TRANSPORT)
  offered(): void {}

  @MessagePattern('elsewhere', Transport.TCP)
  ofTcp(): void {}

  @EventPattern<string>('disabled', ROCKETMQ_TRANSPORT, { enabled: false })
  disabled(): void {}

  @RocketMQListener('orders')
  ordered(): void {}
}

@Controller()
class Prices {
  @MessagePattern<string>('prices')
  priceOf(): number {
    return 250;
  }
}

const PRICES = isNest10 ? [] : ['Prices.priceOf'];

let logger: ReturnType<typeof recordingLogger>;
beforeEach(() => {
  logger = recordingLogger();
  for (const name of ['orders', 'prices', 'offers', 'cheapest']) bench.broker.declareTopic({ name });
});

function warnings(): string[] {
  return logger.lines.map(([line]) => line).filter((line) => /^warn .*(these handlers)/.test(line));
}

function moduleOf(controllers: Type[], options: object = {}): Type {
  return bench.moduleOf({ controllers, options: { logger, ...options } });
}

async function created(module: Type) {
  const app = await NestFactory.create(module, { logger: false, abortOnError: false });
  bench.apps.push(app);
  return app;
}

function unconnectedIn(app: INestApplicationContext): readonly string[] {
  return app.get(RocketMQHealth).report().unconnectedHandlers;
}

describe('an application that connects no microservice', () => {
  it('warns once at startup, names the handlers and what to call, and stays ready', async () => {
    const app = await created(moduleOf([Offers, Prices]));
    await app.init();
    expect(warnings()).toEqual([
      expect.stringContaining('app.connectMicroservice({ strategy: app.get(ServerRocketMQ) }) before app.init()'),
    ]);
    const [warning] = warnings();
    expect(warning).toMatch(/^warn Offers\.cheapest \(@RocketMQReply\), Offers\.offered \(@EventPattern\)/);
    expect(warning?.includes('Prices.priceOf (@MessagePattern)')).toBe(!isNest10);
    expect(warning).not.toMatch(/ofTcp|disabled|ordered/);
    expect(unconnectedIn(app)).toEqual(['Offers.cheapest', 'Offers.offered', ...PRICES]);
    expect(app.get(RocketMQHealth).report()).toMatchObject({ isReady: true, consumers: [{ status: 'running' }] });
    expect(() => app.get(RocketMQListeners).state('Offers.cheapest')).toThrow(
      /UNKNOWN_LISTENER.*Offers\.cheapest receives nothing.*connectMicroservice\(\).*they are Offers\.ordered/,
    );
  });

  it('says nothing of patterns that can only be those of another transport', async () => {
    @Controller()
    class Sums {
      @MessagePattern({ cmd: 'sum' })
      sum(): void {}

      @EventPattern<string>('rooms/+/light')
      switched(): void {}
    }
    const app = await created(moduleOf([Sums]));
    await app.init();
    expect([warnings(), unconnectedIn(app)]).toEqual([[], []]);
  });

  it('warns without an HTTP side, too, which cannot connect one', async () => {
    const app = await NestFactory.createApplicationContext(moduleOf([Offers]), { logger: false });
    bench.apps.push(app);
    expect(warnings()).toEqual([expect.stringContaining('NestFactory.createApplicationContext()')]);
  });

  it('says nothing where handlers are disabled, or nothing is consumed', async () => {
    for (const options of [{ consumers: false }, { defaults: { enabled: false } }]) {
      const app = await created(moduleOf([Offers, Prices], options));
      await app.init();
      expect(unconnectedIn(app)).toEqual([]);
    }
    expect(warnings()).toEqual([]);
  });

  it('names the handlers that are enabled by themselves', async () => {
    @Controller()
    class Enabled {
      @EventPattern<string>('offers', ROCKETMQ_TRANSPORT, { enabled: true })
      offered(): void {}
    }
    const app = await created(moduleOf([Offers, Prices, Enabled], { defaults: { enabled: false } }));
    await app.init();
    expect(unconnectedIn(app)).toEqual(['Enabled.offered']);
  });

  it('does not start with options for a handler that nothing takes, and says why', async () => {
    const app = await created(moduleOf([Offers], { listeners: { 'Offers.cheapest': { concurrency: 2 } } }));
    await expect(app.init()).rejects.toThrow(
      /UNKNOWN_LISTENER.*option listeners: Offers\.cheapest receives nothing.*connectMicroservice\(\)/,
    );
  });
});

describe('an application with a microservice', () => {
  it('says nothing of handlers that it takes', async () => {
    const app = await created(moduleOf([Offers, Prices]));
    app.connectMicroservice({ strategy: app.get(ServerRocketMQ) });
    await app.init();
    await app.startAllMicroservices();
    await bench.broker.advance(60 * SECOND_MS);
    expect([warnings(), unconnectedIn(app)]).toEqual([[], []]);
  });

  it('says nothing of handlers that a server with a connection of its own takes', async () => {
    const app = await created(moduleOf([Offers, Prices]));
    const { endpoints, clock } = bench.broker;
    app.connectMicroservice({ strategy: new ServerRocketMQ({ endpoints, clock, consumerGroup: 'own', logger }) });
    await app.startAllMicroservices();
    await app.init();
    expect([warnings(), unconnectedIn(app)]).toEqual([[], []]);
  });

  it('leaves handlers without a transport to another one that is connected', async () => {
    const app = await created(moduleOf([Offers, Prices]));
    app.connectMicroservice({ strategy: { listen: (done: () => void) => done(), close() {}, addHandler() {} } });
    await app.startAllMicroservices();
    await app.init();
    expect(unconnectedIn(app)).toEqual(['Offers.cheapest', 'Offers.offered']);
  });

  it('warns when it is not started within 30 s of the start, and not when it is, or when the application ends before', async () => {
    const app = await created(moduleOf([Offers]));
    app.connectMicroservice({ strategy: app.get(ServerRocketMQ) });
    await app.init();
    expect(app.get(RocketMQListeners).state('Offers.cheapest').status).toBe('idle');
    await bench.broker.advance(29 * SECOND_MS);
    expect(warnings()).toEqual([]);
    await bench.broker.advance(SECOND_MS);
    expect(warnings()).toEqual([
      expect.stringMatching(/Offers\.cheapest.*30 s after .* not started.*call app\.startAllMicroservices\(\)/),
    ]);
    await app.close();

    const closed = await created(moduleOf([Offers]));
    closed.connectMicroservice({ strategy: closed.get(ServerRocketMQ) });
    await closed.init();
    await closed.close();
    await bench.broker.advance(60 * SECOND_MS);
    expect(warnings()).toHaveLength(1);
  });
});

describe('an application with several connections', () => {
  it('names the server of the connection, and reports handlers without a transport once', async () => {
    @Controller()
    class Audits {
      @EventPattern<string>('audits', rocketMQTransport('audit'))
      audited(): void {}
    }
    const { endpoints, clock } = bench.broker;
    const audit = RocketMQModule.forRoot({ name: 'audit', endpoints, clock, consumerGroup: 'auditors', logger });
    @Module({ imports: [moduleOf([Offers, Prices]), audit], controllers: [Audits] })
    class Both {}
    const app = await created(Both);
    await app.init();
    const [first = '', second = ''] = warnings().sort();
    expect(first).toMatch(/^warn Audits\.audited .*app\.get\(getRocketMQServerToken\('audit'\)\)/);
    expect(second).toMatch(/^warn Offers\.cheapest/);
    expect(warnings().join('\n').split('Prices.priceOf')).toHaveLength(PRICES.length + 1);
    expect(warnings()).toHaveLength(2);
  });

  it('reports handlers without a transport also where the first connection receives nothing', async () => {
    const { endpoints, clock } = bench.broker;
    const audit = RocketMQModule.forRoot({ name: 'audit', endpoints, clock, consumerGroup: 'auditors', logger });
    @Module({ imports: [moduleOf([Prices], { consumers: false }), audit] })
    class Both {}
    const app = await created(Both);
    await app.init();
    expect(app.get(getRocketMQHealthToken('audit')).report().unconnectedHandlers).toEqual(PRICES);
    expect(warnings()).toHaveLength(PRICES.length);
  });

  it('fails for a handler of a connection that does not exist, as for a listener', async () => {
    @Controller()
    class Audits {
      @RocketMQReply(Cheapest, { connection: 'audits' })
      audited(): void {}
    }
    const app = await created(moduleOf([Audits]));
    await expect(app.init()).rejects.toThrow(/UNKNOWN_CONNECTION.*Audits\.audited names connection "audits"/);
  });
});
