// Schemas of topics: the sender's value is on the wire, the output of the schema is passed to the handler.

import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type Provider, UsePipes, ValidationPipe } from '@nestjs/common';
import { Payload, RpcException } from '@nestjs/microservices';
import { Type } from 'class-transformer';
import { IsDate, IsInt, IsOptional, IsString, Min, ValidateNested } from 'class-validator';
import * as v from 'valibot';
import { z } from 'zod';
import { NestBench } from '../../../../test/fixtures/nest-bench.js';
import {
  DeadLetterError,
  defineTopic,
  type InvalidBodyDecision,
  InvalidBodyError,
  RocketMQListener,
  type RocketMQModuleOptions,
  RocketMQProducer,
} from '../entries/nest.js';
import { classSchema, loadSchema } from './messages/body-schema.js';

let bench: NestBench;
beforeAll(async () => {
  bench = await NestBench.open();
});
afterEach(() => bench.closeApps());
afterAll(() => bench.close());

const wire = (topic: string): string[] => bench.broker.messages(topic).map(({ body }) => body.toString());

async function start(providers: Provider[], options: Partial<RocketMQModuleOptions> = {}) {
  const app = await bench.start({ providers, options: { consumerGroup: 'schemas', ...options } });
  return { app, producer: app.get(RocketMQProducer) };
}

/** Exists in a catalog that has to be queried. */
const isKnown = async (id: string): Promise<boolean> => id !== 'unknown';

describe('a topic with a schema', () => {
  it('of zod has the input on the wire, the output for the handler, and asynchronous checks', async () => {
    const schema = z.object({
      id: z.string().refine(isKnown, 'unknown article'),
      quantity: z.coerce.number<string>().default(1),
      at: z.iso.datetime().transform((text) => new Date(text)),
    });
    const Ordered = defineTopic('zod-ordered', { type: 'normal', schema });
    const got: z.output<typeof schema>[] = [];
    class Listener {
      @RocketMQListener(Ordered)
      async handle(body: z.output<typeof schema>): Promise<void> {
        got.push(body);
      }
    }
    const { producer } = await start([Listener]);
    const at = '2026-01-01T00:00:00Z';
    await producer.send(Ordered, { id: 'a', at });
    await producer.for(Ordered).send({ id: 'b', quantity: '3', at });
    await expect(producer.send(Ordered, { id: 'unknown', at })).rejects.toThrow(/INVALID_BODY.*id: unknown article/);
    await bench.broker.idle();
    expect(wire('zod-ordered').sort()).toEqual([`{"id":"a","at":"${at}"}`, `{"id":"b","quantity":"3","at":"${at}"}`]);
    expect(got.sort((one, other) => one.quantity - other.quantity)).toEqual([
      { id: 'a', quantity: 1, at: new Date(at) },
      { id: 'b', quantity: 3, at: new Date(at) },
    ]);
  });

  it('of valibot works in the same way', async () => {
    const schema = v.objectAsync({
      id: v.pipeAsync(v.string(), v.checkAsync(isKnown, 'unknown article')),
      quantity: v.optional(v.pipe(v.string(), v.transform(Number)), '1'),
    });
    const Ordered = defineTopic('valibot-ordered', { type: 'normal', schema });
    const got: v.InferOutput<typeof schema>[] = [];
    class Listener {
      @RocketMQListener(Ordered)
      async handle(body: v.InferOutput<typeof schema>): Promise<void> {
        got.push(body);
      }
    }
    const { producer } = await start([Listener]);
    await producer.send(Ordered, { id: 'a' });
    await expect(producer.send(Ordered, { id: 'unknown' })).rejects.toThrow(/INVALID_BODY.*id: unknown article/);
    await expect(producer.send(Ordered, { id: 7 } as never)).rejects.toThrow(/INVALID_BODY.*id: Invalid type/);
    await bench.broker.idle();
    expect([wire('valibot-ordered'), got]).toEqual([['{"id":"a"}'], [{ id: 'a', quantity: 1 }]]);
  });

  class Article {
    @IsString()
    readonly name!: string;
  }
  class Ordered {
    @IsInt()
    @Min(1)
    readonly quantity!: number;

    @Type(() => Date)
    @IsDate()
    readonly at!: Date;

    @IsOptional()
    @ValidateNested()
    @Type(() => Article)
    readonly article?: Article;

    get isLarge(): boolean {
      return this.quantity > 100;
    }

    describe(): string {
      return `${this.quantity} on ${this.at.toISOString().slice(0, 10)}`;
    }
  }
  const ClassOrdered = defineTopic('class-ordered', { type: 'normal', schema: Ordered });

  it('of a class passes an instance to the handler, validated by class-validator', async () => {
    const got: Ordered[] = [];
    class Listener {
      @RocketMQListener(ClassOrdered)
      async handle(body: Ordered): Promise<void> {
        got.push(body);
      }
    }
    const { producer } = await start([Listener]);
    const at = new Date('2026-01-01T00:00:00Z');
    await producer.send(ClassOrdered, { quantity: 2, at, isLarge: false, article: { name: 'lamp' } });
    const given = Object.assign(new Ordered(), { quantity: 200, at });
    await producer.send(ClassOrdered, given);
    await bench.broker.idle();
    got.sort((one, other) => one.quantity - other.quantity);
    expect(got.map((one) => [one instanceof Ordered, one.describe(), one.article instanceof Article])).toEqual([
      [true, '2 on 2026-01-01', true],
      [true, '200 on 2026-01-01', false],
    ]);
    const wrong = { quantity: 0, at, isLarge: false, article: { name: 7 as never } };
    await expect(producer.send(ClassOrdered, wrong)).rejects.toThrow(
      /INVALID_BODY.*quantity: quantity must not be less than 1; article.name: name must be a string/,
    );
    for (const body of ['text', null, []]) {
      await expect(producer.send(ClassOrdered, body as never)).rejects.toThrow(/expected an object for Ordered/);
    }
  });

  it('of a class reports missing packages at startup', async () => {
    const missing = async (): Promise<never> => {
      throw Object.assign(new Error("Cannot find package 'class-validator'"), { code: 'ERR_MODULE_NOT_FOUND' });
    };
    const schema = classSchema(Ordered, missing);
    await expect(loadSchema(schema)).rejects.toThrow(
      /PACKAGE_MISSING.*Ordered.*npm install class-validator class-transformer/,
    );
    const Topic = defineTopic('missing', { type: 'normal', schema });
    class Listener {
      @RocketMQListener(Topic)
      async handle(): Promise<void> {}
    }
    await expect(start([Listener])).rejects.toThrow(/PACKAGE_MISSING/);
    await expect(start([], { topics: [Topic] })).rejects.toThrow(/PACKAGE_MISSING/);
    expect(await loadSchema(z.string())).toBeUndefined();
  });

  it('of a class reports a transformation that fails, without its error', async () => {
    class Fragile {
      @Type(() => {
        throw new Error('secret');
      })
      @IsString()
      readonly text!: string;
    }
    const Topic = defineTopic('fragile', { type: 'normal', schema: Fragile });
    const { producer } = await start([]);
    const rejected = producer.send(Topic, { text: { a: 1 } as never });
    await expect(rejected).rejects.toThrow(/a transformation of Fragile failed/);
    await expect(rejected).rejects.not.toThrow(/secret/);
  });

  it('rejects what is not a schema', () => {
    expect(() => defineTopic('x', { type: 'normal', schema: {} as never })).toThrow(/ILLEGAL_OPTION.*schema must be/);
    expect(() => defineTopic('x', { type: 'normal', schema: null as never })).toThrow(/schema must be/);
    expect(() => defineTopic('x', { type: 'normal', onInvalid: 'drop' as never })).toThrow(/onInvalid must be/);
  });
});

describe('a message whose body is invalid', () => {
  const schema = z.object({ id: z.string() });
  const decisions: unknown[] = [];
  const decide = async (
    error: InvalidBodyError,
    { tag }: { tag: string | undefined },
  ): Promise<InvalidBodyDecision> => {
    decisions.push([error.name, tag]);
    if (tag === 'throw') throw new Error('cannot decide');
    return tag as InvalidBodyDecision;
  };

  it('is handled as the topic, the listener or the module decides', async () => {
    const plain = { type: 'normal', schema } as const;
    const Retried = defineTopic('retried', { ...plain, onInvalid: 'retry' });
    class Listener {
      @RocketMQListener(defineTopic('unsaid', plain), { consumerGroup: 'unsaid' })
      @RocketMQListener(Retried, { consumerGroup: 'topic', name: 'topic', retryOn: [], deadLetterOn: [Error] })
      @RocketMQListener(Retried, { consumerGroup: 'listener', name: 'listener', onInvalid: 'dead-letter' })
      @RocketMQListener(Retried, { consumerGroup: 'operator', name: 'operator' })
      async handle(): Promise<void> {}
    }
    const listeners = { operator: { onInvalid: 'dead-letter' as const } };
    const { app } = await start([Listener], { listeners, defaults: { onInvalid: 'retry' } });
    await bench.send(app, 'unsaid', { id: 1 });
    await bench.send(app, 'retried', { id: 2 });
    const groups = ['unsaid', 'topic', 'listener', 'operator'];
    expect(groups.map((group) => [bench.retries(group).length, bench.deadLetters(group).length])).toEqual([
      [1, 0],
      [1, 0],
      [0, 1],
      [0, 1],
    ]);
  });

  it('is handled as a function decides, one by one and in batches', async () => {
    const Topic = defineTopic('decided', { type: 'normal', schema, onInvalid: decide });
    const got: unknown[] = [];
    class Listener {
      @RocketMQListener(Topic, { consumerGroup: 'one' })
      async one(body: unknown): Promise<void> {
        got.push(body);
      }

      @RocketMQListener(Topic, { consumerGroup: 'many', batch: { maxSize: 10, maxWaitMs: 5 } })
      async many(bodies: unknown[]): Promise<void> {
        got.push(...bodies);
      }
    }
    const { app, producer } = await start([Listener]);
    for (const tag of ['ack', 'retry', 'dead-letter', 'throw']) {
      await producer.send({ topic: 'decided', tag, body: { tag } });
    }
    await producer.send({ topic: 'decided', tag: 'fine', body: { id: 'fine' } });
    await bench.broker.idle();
    expect(app).toBeDefined();
    for (const group of ['one', 'many']) {
      expect(bench.deadLetters(group).sort()).toEqual(['{"tag":"dead-letter"}']);
      expect(
        bench
          .retries(group)
          .map(([body]) => body)
          .sort(),
      ).toEqual(['{"tag":"retry"}', '{"tag":"throw"}']);
    }
    expect(got).toEqual([{ id: 'fine' }, { id: 'fine' }]);
    expect(decisions).toContainEqual(['InvalidBodyError', 'ack']);
  });

  class Reading {
    @IsInt()
    readonly value!: number;
  }
  const validation = new ValidationPipe({ transform: true });

  it('includes rejections by a pipe of the body, but no other failures of pipes', async () => {
    const causes: unknown[] = [];
    const onInvalid = ({ cause }: InvalidBodyError): InvalidBodyDecision => {
      causes.push((cause as Error).name);
      return 'ack';
    };
    const asRpc = new ValidationPipe({ exceptionFactory: () => new RpcException('wrong') });
    const failing = {
      transform: async (): Promise<never> => {
        throw new Error('the database is away');
      },
    };
    const deciding = {
      transform: (): never => {
        throw new DeadLetterError('by the pipe');
      },
    };
    class Listener {
      @RocketMQListener('piped', { consumerGroup: 'default' })
      @UsePipes(validation)
      async byDefault(_body: Reading): Promise<void> {}

      @RocketMQListener('piped', { consumerGroup: 'retry', onInvalid: 'retry', retryOn: [], deadLetterOn: () => true })
      async retried(@Payload(validation) _body: Reading): Promise<void> {}

      @RocketMQListener('piped', { consumerGroup: 'decided', onInvalid })
      async decided(@Payload(asRpc) _body: Reading): Promise<void> {}

      @RocketMQListener('piped', { consumerGroup: 'failing' })
      async failing(@Payload(failing) _body: Reading): Promise<void> {}

      @RocketMQListener('piped', { consumerGroup: 'deciding', onInvalid: 'retry' })
      async deciding(@Payload(deciding) _body: Reading): Promise<void> {}
    }
    const { app } = await start([Listener]);
    await bench.send(app, 'piped', { value: 'seven' });
    const groups = ['default', 'retry', 'decided', 'failing', 'deciding'];
    expect(groups.map((group) => [bench.retries(group).length, bench.deadLetters(group).length])).toEqual([
      [0, 1],
      [1, 0],
      [0, 0],
      [1, 0],
      [0, 1],
    ]);
    expect(causes).toEqual(['Error']);
  });
});

describe('a topic of another type on the server', () => {
  it('fails the startup, whether the application sends to it or listens', async () => {
    bench.broker.declareTopic({ name: 'really-fifo', type: 'fifo' });
    const Topic = defineTopic('really-fifo', { type: 'delay' });
    class Listener {
      @RocketMQListener(Topic)
      async handle(): Promise<void> {}
    }
    await expect(start([], { topics: [Topic] })).rejects.toThrow(/TOPIC_TYPE_MISMATCH.*"really-fifo"/);
    await expect(start([Listener])).rejects.toThrow(/TOPIC_TYPE_MISMATCH.*"really-fifo"/);
    const other = [defineTopic('really-fifo', { type: 'fifo' })];
    await expect(start([Listener], { topics: other })).rejects.toThrow(
      /TOPIC_TYPES_DISAGREE.*"really-fifo" is of type fifo for option topics, but of type delay for listener Listener.handle/,
    );
  });
});
