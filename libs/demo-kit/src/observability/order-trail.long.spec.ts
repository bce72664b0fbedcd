// The ids of orders and messages in log lines, whoever logs them.

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  Catch,
  Controller,
  type ExceptionFilter,
  Get,
  HttpException,
  type INestApplication,
  Injectable,
  Logger,
  type MiddlewareConsumer,
  Param,
  Post,
  UseFilters,
} from '@nestjs/common';
import { APP_INTERCEPTOR, NestFactory } from '@nestjs/core';
import { RocketMQListener, RocketMQModule, RocketMQProducer } from 'nestjs-rocketmq';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { DemoLogger, type LogFormat } from './demo-logger.js';
import { shareLogFields } from './log-fields.js';
import { OrderTrailInterceptor } from './order-trail.interceptor.js';

@Catch(HttpException)
class SomeFilter implements ExceptionFilter {
  catch(_error: HttpException, host: { switchToHttp(): { getResponse(): { sendStatus(code: number): void } } }): void {
    new Logger('Some').warn('is rejected');
    host.switchToHttp().getResponse().sendStatus(409);
  }
}

@Controller('orders')
@UseFilters(SomeFilter)
class SomeController {
  private readonly logger = new Logger('Some');

  @Post()
  place(): { id: string } {
    return { id: 'fresh' };
  }

  @Post(':id/pay')
  async pay(@Param('id') id: string): Promise<{ id: string }> {
    await new Promise(setImmediate);
    this.logger.log('is paid');
    return { id };
  }

  @Post(':id/cancel')
  async cancel(): Promise<void> {
    await new Promise(setImmediate);
    throw new HttpException('too late', 409);
  }

  @Get(':id')
  read(@Param('id') id: string): { id: string } {
    return { id };
  }
}

@Injectable()
class SomeListener {
  private readonly logger = new Logger('Some');

  @RocketMQListener('steps', { consumerGroup: 'readers' })
  async onStep(body: { isGood: boolean }): Promise<void> {
    await new Promise(setImmediate);
    this.logger.warn('is at work');
    if (!body.isGood) throw new Error('no good');
  }
}

describe('the log of a demo', () => {
  let broker: TestBroker;
  let app: INestApplication;
  let written: string;

  beforeEach(async () => {
    written = '';
    for (const stream of [process.stdout, process.stderr]) {
      jest.spyOn(stream, 'write').mockImplementation((text) => {
        written += text;
        return true;
      });
    }
    broker = await TestBroker.start();
  });
  afterEach(async () => {
    await app.close();
    await broker.stop();
    jest.restoreAllMocks();
  });

  const start = async (format: LogFormat): Promise<string> => {
    const SomeModule = {
      module: class {
        configure = (consumer: MiddlewareConsumer) => consumer.apply(shareLogFields).forRoutes('{*path}');
      },
      imports: [RocketMQModule.forRoot({ endpoints: broker.endpoints })],
      controllers: [SomeController],
      providers: [SomeListener, { provide: APP_INTERCEPTOR, useClass: OrderTrailInterceptor }],
    };
    const logger = new DemoLogger('some-demo', format);
    app = await NestFactory.create(SomeModule, { logger, forceCloseConnections: true });
    await app.listen(0, '127.0.0.1');
    return app.getUrl();
  };
  const post = (url: string) => fetch(url, { method: 'POST', headers: { connection: 'close' } });
  const line = (message: string): Record<string, unknown> | undefined =>
    written
      .split('\n')
      .filter((text) => text.startsWith('{'))
      .map((text) => JSON.parse(text))
      .find((entry) => entry.message === message);
  const eventually = async (message: string): Promise<Record<string, unknown>> => {
    for (;;) {
      const found = line(message);
      if (found !== undefined) return found;
      await new Promise(setImmediate);
    }
  };

  it('names the order in the lines of a request and of its response', async () => {
    const url = await start('json');
    await post(`${url}/orders/o-1/pay`);
    expect(line('is paid')).toMatchObject({ orderId: 'o-1', context: 'Some' });
    expect(await eventually('answered POST /orders/:id/pay: 201')).toMatchObject({ orderId: 'o-1' });
    await post(`${url}/orders/o-5/cancel`);
    expect(line('is rejected')).toMatchObject({ orderId: 'o-5', level: 'warn' });
    expect(await eventually('answered POST /orders/:id/cancel: 409')).toMatchObject({ orderId: 'o-5' });
    await post(`${url}/orders`);
    expect(await eventually('answered POST /orders: 201')).toMatchObject({ orderId: 'fresh' });
    await fetch(`${url}/orders/o-1`, { headers: { connection: 'close' } });
    expect(written).not.toContain('GET /orders/:id is');
  });

  it('names order and message in the lines of a handler and of its end', async () => {
    await start('json');
    const producer = app.get(RocketMQProducer);
    const { messageId } = await producer.send({ topic: 'steps', keys: ['o-2'], body: { isGood: true } });
    const about = { topic: 'steps', messageId, orderId: 'o-2', attempt: 1 };
    expect(await eventually('handled steps')).toMatchObject(about);
    expect(line('is at work')).toMatchObject({ ...about, level: 'warn' });
  });

  it("names order and message in the library's line about a failure, and logs no end in that case", async () => {
    await start('json');
    const { messageId } = await app
      .get(RocketMQProducer)
      .send({ topic: 'steps', keys: ['o-3'], body: { isGood: false } });
    await eventually('is at work');
    const failure = async (): Promise<Record<string, unknown>> => {
      for (;;) {
        const texts = written.split('\n').filter((text) => text.includes('no good') && text.startsWith('{'));
        if (texts[0] !== undefined) return JSON.parse(texts[0]);
        await new Promise(setImmediate);
      }
    };
    expect(await failure()).toMatchObject({ context: 'RocketMQ', orderId: 'o-3', messageId, keys: ['o-3'] });
    expect(line('handled steps')).toBeUndefined();
  });

  it('has a text format for people', async () => {
    const url = await start('text');
    await post(`${url}/orders/o-4/pay`);
    expect(written).toMatch(/\[some-demo\].*\[Some\].*is paid.*\{ orderId: .*o-4.*\}\n/);
  });
});
