// Spans around what Nest calls: listeners with their enhancers, batches, patterns, requests, transactions.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type CallHandler,
  Controller,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  Scope,
  type Type,
  UseInterceptors,
} from '@nestjs/common';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { trace } from '@opentelemetry/api';
import { Observable } from 'rxjs';
import { idOf, linksOf, parentOf, TelemetryBench, traceOf } from '../../../../../test/fixtures/telemetry-bench.js';
import {
  defineTopic,
  RocketMQListener,
  RocketMQModule,
  type RocketMQModuleOptions,
  RocketMQProducer,
  RocketMQRequester,
  ServerRocketMQ,
  TransactionalSend,
  TransactionChecker,
} from '../../entries/nest.js';
import { openTelemetry } from '../../opentelemetry/open-telemetry.js';
import { silentLogger } from '../../support/logger.js';
import { TestBroker } from '../../testing/test-broker.js';

const sdk = new TelemetryBench();
const telemetry = openTelemetry();
let broker: TestBroker;
let apps: { close(): Promise<void> }[] = [];

beforeAll(() => sdk.register());
afterAll(() => sdk.close());
beforeEach(async () => {
  broker = await TestBroker.start({ manualClock: true, nameServerPort: 0 });
  sdk.reset();
});
afterEach(async () => {
  for (const app of apps) await app.close();
  apps = [];
  await broker.stop();
});

async function start(host: Type, options: Partial<RocketMQModuleOptions> = {}) {
  const { endpoints, clock } = broker;
  const given = { endpoints, clock, consumerGroup: 'shop', logger: silentLogger, telemetry, ...options };
  const compiled = await Test.createTestingModule({
    imports: [RocketMQModule.forRoot(given)],
    controllers: [host],
  }).compile();
  const app = compiled.createNestApplication({ logger: false });
  apps.push(app);
  app.connectMicroservice({ strategy: app.get(ServerRocketMQ) });
  await app.startAllMicroservices();
  await app.init();
  return app;
}

const activeSpan = (): string => trace.getActiveSpan()?.spanContext().spanId ?? 'none';
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

let seen: Record<string, string> = {};
beforeEach(() => {
  seen = {};
});

@Injectable()
class Noting implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    seen.interceptor = activeSpan();
    return new Observable((subscriber) => {
      seen.observable = activeSpan();
      return next.handle().subscribe(subscriber);
    });
  }
}

describe('with telemetry, a Nest application', () => {
  it('has the span of a message active in interceptors and handlers of listeners', async () => {
    @Controller()
    class Orders {
      constructor(private readonly producer: RocketMQProducer) {}

      @UseInterceptors(Noting)
      @RocketMQListener('orders')
      async place(): Promise<void> {
        await turn();
        seen.handler = activeSpan();
        await this.producer.send({ topic: 'placed', body: 'b' });
      }
    }
    const app = await start(Orders);
    await app.get(RocketMQProducer).send({ topic: 'orders', body: '{}' });
    await broker.idle();
    const process = sdk.span('process orders');
    const id = idOf(process);
    expect(seen).toEqual({ interceptor: id, observable: id, handler: id });
    expect(parentOf(process)).toBe(idOf(sdk.span('send orders')));
    expect(parentOf(sdk.span('send placed'))).toBe(id);
  });

  it('has it active in request-scoped handlers, and in those of the transport strategy', async () => {
    @Controller({ scope: Scope.REQUEST })
    class Orders {
      @UseInterceptors(Noting)
      @EventPattern<string>('orders:created')
      async created(): Promise<void> {
        await turn();
        seen.handler = activeSpan();
      }
    }
    const app = await start(Orders);
    await app.get(RocketMQProducer).send({ topic: 'orders', tag: 'created', body: '{}' });
    await broker.idle();
    const id = idOf(sdk.span('process orders'));
    expect(seen).toEqual({ interceptor: id, observable: id, handler: id });
  });

  it('has the span of a batch, which links to each message, active in its handler', async () => {
    @Controller()
    class Orders {
      @UseInterceptors(Noting)
      @RocketMQListener('orders', { batch: { maxSize: 2, maxWaitMs: 60_000 } })
      async place(): Promise<void> {
        await turn();
        seen.handler = activeSpan();
      }
    }
    const app = await start(Orders);
    const producer = app.get(RocketMQProducer);
    await producer.sendBatch([
      { topic: 'orders', body: '1' },
      { topic: 'orders', body: '2' },
    ]);
    await broker.idle();
    const process = sdk.span('process orders');
    const sends = sdk.spans.filter(({ name }) => name === 'send orders');
    expect(linksOf(process).sort()).toEqual(sends.map(idOf).sort());
    expect(seen).toEqual({ interceptor: idOf(process), observable: idOf(process), handler: idOf(process) });
  });

  it('has request, handler and answer in one trace, and continues it', async () => {
    @Controller()
    class Prices {
      @MessagePattern<string>('prices')
      async price(): Promise<number> {
        seen.handler = activeSpan();
        return 7;
      }
    }
    const options = { requests: { application: 'desk' }, nameServer: broker.nameServerEndpoint };
    const app = await start(Prices, options);
    const answer = await trace.getTracer('spec').startActiveSpan('request', async (span) => {
      const got = await app.get(RocketMQRequester).request('prices', { id: 1 });
      seen.after = activeSpan();
      span.end();
      return got;
    });
    await broker.idle();
    const [asked, handled, answered] = ['send prices', 'process prices', 'send nestjs-rocketmq-reply-desk'].map(
      (name) => sdk.span(name),
    );
    const received = sdk.span('process nestjs-rocketmq-reply-desk');
    if (asked === undefined || handled === undefined || answered === undefined) throw new Error('a span is missing');
    const request = sdk.span('request');
    expect(answer).toBe(7);
    expect([asked, handled, answered, received].map(parentOf)).toEqual([request, asked, handled, answered].map(idOf));
    expect(new Set([asked, handled, answered, received].map(traceOf))).toEqual(new Set([traceOf(request)]));
    expect(seen).toEqual({ handler: idOf(handled), after: idOf(request) });
  });

  it('has one span for a transactional method, which contains its work', async () => {
    const Paid = defineTopic<{ id: number }>('paid', { type: 'transaction' });
    @Controller()
    class Payments {
      @TransactionalSend(Paid, { message: (id: number) => ({ body: { id } }) })
      async pay(_id: number): Promise<void> {
        seen.handler = activeSpan();
      }

      @TransactionChecker(Paid)
      async isPaid(): Promise<'unknown'> {
        return 'unknown';
      }
    }
    const app = await start(Payments);
    await app.get(Payments).pay(1);
    const whole = idOf(sdk.span('transact paid'));
    expect([sdk.span('send paid'), sdk.span('commit paid')].map(parentOf)).toEqual([whole, whole]);
    expect(seen).toEqual({ handler: whole });
  });

  it('rejects an invalid telemetry', async () => {
    const none = {} as typeof telemetry;
    await expect(start(class Nothing {}, { telemetry: none })).rejects.toThrow(
      'option telemetry must be the result of openTelemetry() of nestjs-rocketmq/opentelemetry',
    );
  });
});
