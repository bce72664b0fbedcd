import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, type INestApplication, Inject, Injectable } from '@nestjs/common';
import { HealthCheck, type HealthCheckResult, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { NestBench } from '../../../../test/fixtures/nest-bench.js';
import { until } from '../../../../tools/until.js';
import { RocketMQListener, RocketMQModule, RocketMQProducer, TransactionChecker } from '../entries/nest.js';
import { RocketMQHealthIndicator } from '../entries/terminus.js';
import { MINUTE_MS } from '../support/clock.js';
import { TestBroker } from '../testing/test-broker.js';

@Controller('health')
class HealthController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(RocketMQHealthIndicator) private readonly rocketmq: RocketMQHealthIndicator,
  ) {}

  @Get('live')
  @HealthCheck()
  live(): Promise<HealthCheckResult> {
    return this.health.check([() => this.rocketmq.live('rocketmq', { maxHandlerMs: 10 * MINUTE_MS })]);
  }

  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.rocketmq.ready()]);
  }
}

let release = (): void => {};

@Injectable()
class Shop {
  @RocketMQListener('orders', { consumerGroup: 'shop' })
  async handle(): Promise<void> {
    await new Promise<void>((resolve) => {
      release = resolve;
    });
  }
}

describe('the health indicator for terminus', () => {
  let bench: NestBench;

  beforeEach(async () => {
    bench = await NestBench.open();
  });
  afterEach(() => bench.close());

  const parts = {
    imports: [TerminusModule],
    providers: [Shop, RocketMQHealthIndicator],
    controllers: [HealthController],
  };

  async function ask(app: INestApplication, what: 'live' | 'ready') {
    if (!app.getHttpServer().listening) await app.listen(0, '127.0.0.1');
    const response = await fetch(`${await app.getUrl()}/health/${what}`);
    return { status: response.status, body: (await response.json()) as HealthCheckResult };
  }

  it('is up and reports what is assigned, received and unsettled', async () => {
    const app = await bench.start(parts);
    expect(await ask(app, 'ready')).toEqual({
      status: 200,
      body: expect.objectContaining({
        status: 'ok',
        details: {
          rocketmq: {
            status: 'up',
            phase: 'running',
            problems: [],
            servers: { [bench.broker.endpoints]: 'ready' },
            consumers: [
              {
                consumerGroup: 'shop',
                status: 'running',
                unsettled: 0,
                settleLagMs: 0,
                longestHandlerMs: 0,
                servers: { [bench.broker.endpoints]: 'ready' },
                topics: [{ topic: 'orders', assigned: 1, isPaused: false, lastReceive: null }],
              },
            ],
          },
        },
      }),
    });
  });

  it('counts transactions that the server has given up, and is up nevertheless', async () => {
    @Injectable()
    class Payments {
      constructor(@Inject(RocketMQProducer) private readonly producer: RocketMQProducer) {}

      pay(): Promise<void> {
        return this.producer.transaction({ topic: 'paid', body: '1' }, async () => {
          throw new Error('the database is away');
        });
      }

      @TransactionChecker('paid')
      answer(): 'unknown' {
        return 'unknown';
      }
    }
    const broker = await TestBroker.start({ manualClock: true, nameServerPort: 0 });
    const { endpoints, clock, nameServerEndpoint: nameServer } = broker;
    const app = await bench.start({
      ...parts,
      providers: [RocketMQHealthIndicator, Payments],
      options: { endpoints, clock, nameServer },
    });
    await broker.idle();
    expect(await ask(app, 'ready')).toMatchObject({ body: { details: { rocketmq: { givenUpTransactions: 0 } } } });
    await expect(app.get(Payments).pay()).rejects.toThrow('the database is away');
    await broker.advance(15 * MINUTE_MS);
    expect(await ask(app, 'ready')).toMatchObject({
      status: 200,
      body: { details: { rocketmq: { status: 'up', givenUpTransactions: 1 } } },
    });
    await bench.closeApps();
    await broker.stop();
  });

  it('is not ready while the server is unreachable, and reports why, but alive; it is ready again when the server is back', async () => {
    const app = await bench.start(parts);
    await bench.broker.stop();
    let answer = await ask(app, 'ready');
    while (answer.status === 200) answer = await ask(app, 'ready');
    expect(answer).toMatchObject({ status: 503, body: { status: 'error' } });
    expect(JSON.stringify(answer.body.error)).toMatch(/is connected to no server \(127\.0\.0\.1:\d+ is away/);
    expect(await ask(app, 'live')).toMatchObject({ status: 200, body: { details: { rocketmq: { status: 'up' } } } });
    await bench.broker.broker.start();
    await app.get(RocketMQProducer).send({ topic: 'orders', body: '1' });
    while (answer.status !== 200) answer = await ask(app, 'ready');
    release();
  });

  it('is not alive when a handler runs longer than maxHandlerMs', async () => {
    const app = await bench.start(parts);
    await app.get(RocketMQProducer).send({ topic: 'orders', body: '1' });
    await bench.broker.advance(5 * MINUTE_MS, { duringWork: true });
    expect((await ask(app, 'live')).status).toBe(200);
    await bench.broker.advance(6 * MINUTE_MS, { duringWork: true });
    expect(await ask(app, 'live')).toMatchObject({
      status: 503,
      body: { error: { rocketmq: { problems: [expect.stringContaining('consumer group "shop"')] } } },
    });
    release();
  });

  it('is alive while messages wait for slow handlers, and while an ordered one waits for its next attempt', async () => {
    const waits: (() => void)[] = [];
    @Injectable()
    class Slow {
      @RocketMQListener('orders', { consumerGroup: 'slow', concurrency: 1 })
      async handle(): Promise<void> {
        await new Promise<void>((resolve) => waits.push(resolve));
      }

      @RocketMQListener('steps', { consumerGroup: 'steps', backoff: 30 * MINUTE_MS })
      step(): void {
        throw new Error('not yet');
      }
    }
    bench.broker.declareTopic({ name: 'steps', type: 'fifo' });
    bench.broker.declareGroup({ name: 'steps', fifo: true });
    const app = await bench.start({ ...parts, providers: [Slow, RocketMQHealthIndicator] });
    const producer = app.get(RocketMQProducer);
    await producer.send({ topic: 'steps', body: '1', messageGroup: 'a' });
    for (let count = 1; count <= 3; count++) await producer.send({ topic: 'orders', body: '1' });
    for (let handled = 0; handled < 3; handled++) {
      await until(() => waits.length !== handled);
      await bench.broker.advance(6 * MINUTE_MS, { duringWork: true });
      expect(await ask(app, 'live')).toMatchObject({ status: 200 });
      waits[handled]?.();
    }
  });

  it('is alive and not ready in an application that started without its server', async () => {
    const absent = await TestBroker.start();
    const { endpoints } = absent;
    await absent.stop();
    const options = { endpoints, whenUnavailable: 'degraded', startTimeoutMs: 100 } as const;
    const app = await bench.start({ ...parts, options });
    expect((await ask(app, 'live')).status).toBe(200);
    const answer = await ask(app, 'ready');
    expect(answer.status).toBe(503);
    expect(answer.body.details.rocketmq).toMatchObject({ phase: 'starting', consumers: [{ status: 'waiting' }] });
  });

  it('is not alive when a handler hangs while startup waits for a group that does not exist', async () => {
    @Injectable()
    class Lost {
      @RocketMQListener('orders', { consumerGroup: 'nobody' })
      handle(): void {}
    }
    const late = await TestBroker.start({
      manualClock: true,
      strict: true,
      topics: [{ name: 'orders' }],
      groups: [{ name: 'shop' }],
    });
    const { endpoints, clock } = late;
    await late.broker.stop();
    const options = { endpoints, clock, whenUnavailable: 'degraded', startTimeoutMs: 100 } as const;
    const app = await bench.start({ ...parts, providers: [Shop, Lost, RocketMQHealthIndicator], options });
    await late.broker.start();
    const details = async (what: 'live' | 'ready') => JSON.stringify((await ask(app, what)).body.details);
    await until(async () => (await details('ready')).includes('does not exist'));
    const before = release;
    await app.get(RocketMQProducer).send({ topic: 'orders', body: '1' });
    await until(() => release !== before);
    await late.advance(11 * MINUTE_MS, { duringWork: true });
    expect((await ask(app, 'live')).status).toBe(503);
    release();
    await app.close();
    await late.stop();
  });

  it('reports the given connection, and names one that does not exist', async () => {
    const { endpoints, clock } = bench.broker;
    const second = RocketMQModule.forRoot({ name: 'second', endpoints, clock });
    const app = await bench.start({ imports: [second as never], providers: [RocketMQHealthIndicator] });
    const indicator = app.get(RocketMQHealthIndicator);
    const result = await indicator.ready('mq', { connection: 'second' });
    expect(result.mq).toMatchObject({ status: 'up', connection: 'second' });
    expect((await indicator.live('mq', { connection: 'second' })).mq).toMatchObject({
      status: 'up',
      connection: 'second',
    });
    await expect(indicator.live('mq', { maxHandler: 1 } as object)).rejects.toThrow('maxHandler is unknown');
    await expect(indicator.live('mq', { maxHandlerMs: 0 })).rejects.toThrow(
      'maxHandlerMs must be a number of at least 1',
    );
    await expect(indicator.live('mq', { connection: 'third' })).rejects.toThrow(
      'no RocketMQModule for the connection "third"',
    );
  });
});
