// The examples of docs/guide/operations.md, run.

import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type INestApplication, Injectable, Logger, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { DeadLetterError, RocketMQListener, RocketMQModule, RocketMQProducer } from 'nestjs-rocketmq';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { pino } from 'pino';
import { Alarms } from '../../docs/examples/alarms.js';
import { serve } from '../../docs/examples/graceful-main.js';
import { HealthModule } from '../../docs/examples/health.js';
import { PinoLogger } from '../../docs/examples/pino-logger.js';
import { OrderSteps, Packing, ShopModule } from '../../docs/examples/provisioned-shop.js';
import { until } from '../../tools/until.js';
import { recordingLogger } from '../fixtures/nest-bench.js';

@Injectable()
class Till {
  @RocketMQListener('charges', { consumerGroup: 'till' })
  charge(): never {
    throw new DeadLetterError('declined');
  }
}

describe('the examples of operations', () => {
  let broker: TestBroker;
  let app: INestApplication | undefined;

  beforeEach(async () => {
    broker = await TestBroker.start({ manualClock: true, nameServerPort: 0 });
  });
  afterEach(async () => {
    await app?.close();
    app = undefined;
    await broker.stop();
  });

  async function start(...parts: { imports?: never[]; providers?: never[] }[]): Promise<INestApplication> {
    const { endpoints, clock } = broker;
    const compiled = await Test.createTestingModule({
      imports: [
        RocketMQModule.forRoot({ endpoints, clock, logger: recordingLogger() }),
        ...parts.flatMap(({ imports = [] }) => imports),
      ],
      providers: parts.flatMap(({ providers = [] }) => providers),
    }).compile();
    app = compiled.createNestApplication({ logger: false });
    await app.init();
    return app;
  }

  it('health: always live, and ready if the server is available', async () => {
    const running = await start({ imports: [HealthModule as never] });
    await running.listen(0, '127.0.0.1');
    const status = async (probe: string): Promise<number> => {
      const response = await fetch(`${await running.getUrl()}/health/${probe}`, { headers: { connection: 'close' } });
      await response.text();
      return response.status;
    };
    expect([await status('live'), await status('ready')]).toEqual([200, 200]);
    await broker.stop();
    while ((await status('ready')) === 200);
    expect([await status('live'), await status('ready')]).toEqual([200, 503]);
  });

  it('alarms: report a dead letter and a lost server', async () => {
    const running = await start({ providers: [Alarms as never, Till as never] });
    const { raised } = running.get(Alarms);
    await running.get(RocketMQProducer).send({ topic: 'charges', body: '1', keys: ['order-1'] });
    await until(() => raised.length > 0);
    expect(raised).toEqual(['till gave up charges order-1: handler-decided']);
    await broker.idle();
    await broker.stop();
    await until(() => raised.length >= 3);
    const { endpoints } = broker;
    expect(raised.slice(1).sort()).toEqual([`the producer has lost ${endpoints}`, `till has lost ${endpoints}`]);
  });

  it('provisioned shop: topic and group match their declarations, and messages arrive', async () => {
    const before = { ...process.env };
    Object.assign(process.env, {
      ROCKETMQ_ENDPOINTS: broker.endpoints,
      ROCKETMQ_NAME_SERVER: broker.nameServerEndpoint,
    });
    const admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint });
    try {
      const compiled = await Test.createTestingModule({ imports: [ShopModule] }).compile();
      app = compiled.createNestApplication({ logger: false });
      await app.init();
      await app.get(RocketMQProducer).send(OrderSteps, { order: 'a', step: 'paid' }, { messageGroup: 'a' });
      const { seen } = app.get(Packing);
      await until(() => seen.length > 0);
      expect(seen).toEqual(['a paid']);
      expect(await admin.describeTopic('order-steps')).toMatchObject({ type: 'fifo', queues: 16 });
      expect(await admin.describeGroup('packing')).toMatchObject({ fifo: true, maxDeliveryAttempts: 8 });
    } finally {
      process.env = before;
      await admin.close();
    }
  });

  it('pino: the fields of a line are fields in the log', async () => {
    const lines: Record<string, unknown>[] = [];
    const sink = new Writable({
      write(chunk, _encoding, done) {
        lines.push(JSON.parse(String(chunk)));
        done();
      },
    });
    const { endpoints, clock } = broker;
    const imports = [RocketMQModule.forRoot({ endpoints, clock })];
    const compiled = await Test.createTestingModule({ imports, providers: [Till] }).compile();
    app = compiled.createNestApplication({ logger: new PinoLogger(pino(sink)) });
    await app.init();
    const listening = lines.find(({ msg }) => msg === 'Till.charge listens');
    expect(listening).toMatchObject({ level: 30, context: 'RocketMQ', topic: 'charges', consumerGroup: 'till' });
    Logger.overrideLogger(false);
  });

  it('graceful main: starts and shuts down', async () => {
    const { endpoints, clock } = broker;
    @Module({ imports: [RocketMQModule.forRoot({ endpoints, clock, logger: recordingLogger() })] })
    class AppModule {}
    app = await serve(AppModule, 0);
    expect(app.getHttpServer().listening).toBe(true);
  });
});
