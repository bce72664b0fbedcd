// Batch listeners: their arguments, and the outcome of each message.

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type ArgumentsHost,
  BadRequestException,
  Catch,
  type ExceptionFilter,
  Inject,
  Injectable,
  Scope,
  UseFilters,
} from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import { z } from 'zod';
import { NestBench, recordingLogger } from '../../../../test/fixtures/nest-bench.js';
import { until } from '../../../../tools/until.js';
import {
  DeadLetterError,
  defineTopic,
  RetryLaterError,
  RocketMQBatchContext,
  RocketMQListener,
  RocketMQProducer,
} from '../entries/nest.js';

let bench: NestBench;

beforeAll(async () => {
  bench = await NestBench.open();
});
afterEach(() => bench.closeApps());
afterAll(() => bench.close());

describe('a batch listener', () => {
  const Readings = defineTopic('readings', { type: 'normal', schema: z.object({ value: z.number() }) });
  const batch = { maxSize: 10, maxWaitMs: 100 };

  it('gets bodies and a context that fails single messages; an invalid body fails alone', async () => {
    const seen: [unknown[], RocketMQBatchContext][] = [];
    @Injectable()
    class Meter {
      @RocketMQListener(Readings, { consumerGroup: 'meter', batch })
      async store(bodies: { value: number }[], context: RocketMQBatchContext): Promise<void> {
        seen.push([bodies, context]);
        for (const [index, { value }] of bodies.entries()) {
          if (value === 2) context.fail(index, new RetryLaterError({ delayMs: 77_000 }));
          const message = context.messages[index];
          if (value === 3 && message !== undefined) context.fail(message, new DeadLetterError('three'));
        }
      }
    }
    const logger = recordingLogger();
    const app = await bench.start({ providers: [Meter], options: { logger } });
    await bench.send(app, 'readings', { value: 1 }, { value: 2 }, { value: 3 }, { value: 'four' });
    expect(seen.flatMap(([bodies]) => bodies)).toEqual([{ value: 1 }, { value: 2 }, { value: 3 }]);
    const context = seen[0]?.[1] as RocketMQBatchContext;
    expect(context).toBeInstanceOf(RocketMQBatchContext);
    expect(context).toMatchObject({ listener: 'Meter.store', consumerGroup: 'meter', topic: 'readings' });
    expect(context.signal.aborted).toBe(false);
    expect(() => context.fail(99, new Error())).toThrow('NOT_IN_BATCH');
    expect(bench.retries('meter')).toEqual([['{"value":2}', 77_000]]);
    expect(bench.deadLetters('meter').sort()).toEqual(['{"value":"four"}', '{"value":3}']);
    context.logger.info('stored');
    const messageIds = context.messages.map(({ messageId }) => messageId);
    const ids = { listener: 'Meter.store', consumerGroup: 'meter', topic: 'readings', messageIds };
    expect(logger.lines.at(-1)).toEqual(['info stored', ids]);
  });

  it('fails as a whole when it throws, unless a filter marks it as handled', async () => {
    @Catch()
    class Marking implements ExceptionFilter {
      catch(_error: Error, host: ArgumentsHost): void {
        host.switchToRpc().getContext<RocketMQBatchContext>().markHandled();
      }
    }
    @Injectable()
    class Meter {
      @RocketMQListener('failing', { consumerGroup: 'failing', batch })
      async fails(): Promise<void> {
        throw new Error('all of them');
      }

      @UseFilters(Marking)
      @RocketMQListener('marked', { consumerGroup: 'marked', batch })
      async marked(_bodies: unknown[], context: RocketMQBatchContext): Promise<void> {
        context.fail(0, new Error('only this one'));
        throw new Error('the others are fine');
      }
    }
    const app = await bench.start({ providers: [Meter] });
    await bench.send(app, 'failing', 'null', 'null');
    await app.get(RocketMQProducer).send({ topic: 'marked', body: '1' });
    await bench.broker.idle();
    expect(bench.retries('failing')).toHaveLength(2);
    expect(bench.retries('marked').map(([body]) => body)).toEqual(['1']);
  });

  it.each(['it exceeds its timeout', 'the application shuts down'])(
    'keeps the outcomes of single messages when %s while its handler continues',
    async (why) => {
      let end = (): void => {};
      const tested = new Promise<void>((resolve) => {
        end = resolve;
      });
      let isSet = false;
      const [topic, isOver] = [`slow-batch-${why.length}`, why === 'it exceeds its timeout'];
      @Injectable()
      class Meter {
        @RocketMQListener(topic, {
          consumerGroup: topic,
          batch: { maxSize: 2, maxWaitMs: 60_000 },
          handlerTimeoutMs: isOver ? 50 : 60_000,
        })
        async store(bodies: unknown[], context: RocketMQBatchContext): Promise<void> {
          context.fail(bodies.indexOf('later'), new RetryLaterError({ delayMs: 77_000 }));
          context.fail(bodies.indexOf('dead'), new DeadLetterError('nobody wants it'));
          isSet = true;
          await tested;
        }
      }
      const app = await bench.start({ providers: [Meter], options: { shutdownGraceMs: 50 } });
      const producer = app.get(RocketMQProducer);
      await producer.sendBatch(['later', 'dead'].map((body) => ({ topic, body: JSON.stringify(body) })));
      await until(() => isSet);
      if (isOver) await bench.broker.idle();
      else await bench.closeApps();
      expect([bench.retries(topic), bench.deadLetters(topic)]).toEqual([[['"later"', 77_000]], ['"dead"']]);
      end();
    },
  );

  it('fails as a whole when a pipe rejects its bodies, whatever onInvalid is', async () => {
    const rejecting = {
      transform: (): never => {
        throw new BadRequestException();
      },
    };
    @Injectable()
    class Meter {
      @RocketMQListener('piped', { consumerGroup: 'piped', batch, onInvalid: 'dead-letter' })
      async store(@Payload(rejecting) _bodies: unknown[]): Promise<void> {}
    }
    const app = await bench.start({ providers: [Meter] });
    await bench.send(app, 'piped', 1, 2);
    expect(bench.deadLetters('piped')).toEqual([]);
    expect(bench.retries('piped')).toHaveLength(2);
  });

  it('can be request-scoped, and have decorated parameters', async () => {
    const seen: unknown[] = [];
    @Injectable({ scope: Scope.REQUEST })
    class Meter {
      constructor(@Inject(REQUEST) private readonly request: RocketMQBatchContext) {}

      @RocketMQListener('scoped-batch', { consumerGroup: 'scoped-batch', batch, parameters: 'decorated' })
      async store(@Ctx() context: RocketMQBatchContext, @Payload() bodies: unknown[]): Promise<void> {
        seen.push(this.request === context, bodies);
      }
    }
    const app = await bench.start({ providers: [Meter] });
    await bench.send(app, 'scoped-batch', 7);
    expect(seen).toEqual([true, [7]]);
  });
});
