// Listeners against the embedded broker over the wire: arguments, outcomes, and which methods are found.

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ArgumentsHost, Provider } from '@nestjs/common';
import { Catch, Controller, type ExceptionFilter, Injectable, Module, type Type, UseFilters } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { Test, type TestingModule } from '@nestjs/testing';
import { EMPTY, type Observable, of, throwError } from 'rxjs';
import { z } from 'zod';
import { closeApp } from '../../../../test/fixtures/close-app.js';
import { recordingLogger } from '../../../../test/fixtures/nest-bench.js';
import {
  DeadLetterError,
  deadLettersOf,
  defineTopic,
  RetryLaterError,
  RocketMQContext,
  RocketMQListener,
  RocketMQModule,
  type RocketMQModuleOptions,
  RocketMQProducer,
} from '../entries/nest.js';
import { silentLogger } from '../support/logger.js';
import { TestBroker } from '../testing/test-broker.js';

let broker: TestBroker;

beforeAll(async () => {
  broker = await TestBroker.start({ manualClock: true });
});

afterAll(async () => {
  await broker.stop();
});

interface Parts {
  readonly providers?: Provider[];
  readonly controllers?: Type[];
  readonly options?: Partial<RocketMQModuleOptions>;
}

async function withApp(parts: Parts, work: (app: TestingModule, producer: RocketMQProducer) => Promise<void>) {
  const { providers = [], controllers = [], options = {} } = parts;
  const { endpoints, clock } = broker;
  const app = await Test.createTestingModule({
    imports: [RocketMQModule.forRoot({ endpoints, clock, logger: silentLogger, ...options })],
    providers,
    controllers,
  }).compile();
  app.enableShutdownHooks();
  await app.init();
  try {
    await work(app, app.get(RocketMQProducer));
  } finally {
    await closeApp(app);
  }
}

/** What the broker still has to deliver to a group. */
const retriesOf = (group: string) =>
  broker.waiting().flatMap((message) => (message.kind === 'retry' && message.group === group ? [message] : []));
const deadLettersIn = (group: string) => broker.messages(`%DLQ%${group}`);

describe('the arguments of a listener', () => {
  it('are the body and the context', async () => {
    const calls: [unknown, RocketMQContext][] = [];
    @Injectable()
    class Listener {
      @RocketMQListener('arguments', { consumerGroup: 'arguments', filter: 'a || b' })
      async handle(body: unknown, context: RocketMQContext): Promise<void> {
        calls.push([body, context]);
      }
    }
    await withApp({ providers: [Listener] }, async (_app, producer) => {
      await producer.send({ topic: 'arguments', tag: 'c', body: { n: 0 } });
      const { messageId } = await producer.send({ topic: 'arguments', tag: 'a', keys: ['k'], body: { n: 1 } });
      await broker.idle();
      expect(calls.map(([body]) => body)).toEqual([{ n: 1 }]);
      const context = calls[0]?.[1];
      expect(context).toBeInstanceOf(RocketMQContext);
      expect(context?.message).toMatchObject({ tag: 'a', keys: ['k'], body: Buffer.from('{"n":1}') });
      expect(context).toMatchObject({ topic: 'arguments', messageId, deliveryAttempt: 1, consumerGroup: 'arguments' });
      expect(context?.listener).toBe('Listener.handle');
      expect(context?.signal.aborted).toBe(false);
    });
  });

  it('are those that @Payload() and @Ctx() mark', async () => {
    const calls: unknown[][] = [];
    @Injectable()
    class Listener {
      @RocketMQListener('decorated', { consumerGroup: 'decorated', parameters: 'decorated' })
      async handle(
        @Ctx() context: RocketMQContext,
        @Payload('id') id: string,
        @Payload() body: unknown,
      ): Promise<void> {
        calls.push([context.topic, id, body]);
      }
    }
    await withApp({ providers: [Listener] }, async (_app, producer) => {
      await producer.send({ topic: 'decorated', body: { id: 'x' } });
      await broker.idle();
      expect(calls).toEqual([['decorated', 'x', { id: 'x' }]]);
    });
  });

  it('must be decorated where the listener says so', () => {
    const declare = () => {
      class Listener {
        @RocketMQListener('decorated', { consumerGroup: 'decorated', parameters: 'decorated' })
        async handle(_body: unknown): Promise<void> {}
      }
      return Listener;
    };
    expect(declare).toThrow(/ILLEGAL_OPTION.*Listener\.handle: option parameters is 'decorated', but no parameter has/);
  });
});

describe('the result of a listener', () => {
  @Injectable()
  class Endings {
    @RocketMQListener('returns', { consumerGroup: 'returns' })
    returns(): string {
      return 'done';
    }

    @RocketMQListener('completes', { consumerGroup: 'completes' })
    completes(): Observable<number> {
      return of(1, 2);
    }

    @RocketMQListener('is-empty', { consumerGroup: 'is-empty' })
    isEmpty(): Observable<never> {
      return EMPTY;
    }

    @RocketMQListener('throws', { consumerGroup: 'throws' })
    throws(): void {
      throw new Error('no');
    }

    @RocketMQListener('rejects', { consumerGroup: 'rejects' })
    async rejects(): Promise<void> {
      throw new Error('no');
    }

    @RocketMQListener('observable-fails', { consumerGroup: 'observable-fails' })
    observableFails(): Observable<never> {
      return throwError(() => new Error('no'));
    }

    @RocketMQListener('retries-later', { consumerGroup: 'retries-later' })
    async retriesLater(): Promise<void> {
      throw new RetryLaterError({ delayMs: 123_000 });
    }

    @RocketMQListener('gives-up', { consumerGroup: 'gives-up' })
    async givesUp(): Promise<void> {
      throw new DeadLetterError();
    }
  }

  const endOf = (group: string): string => {
    if (deadLettersIn(group).length > 0) return 'dead letter';
    return retriesOf(group).length > 0 ? 'retry' : 'ack';
  };

  it('decides between ack, retry and dead letter', async () => {
    const expected = {
      returns: 'ack',
      completes: 'ack',
      'is-empty': 'ack',
      throws: 'retry',
      rejects: 'retry',
      'observable-fails': 'retry',
      'retries-later': 'retry',
      'gives-up': 'dead letter',
    };
    await withApp({ providers: [Endings] }, async (_app, producer) => {
      for (const topic of Object.keys(expected)) await producer.send({ topic, body: 'null' });
      await broker.idle();
      const ends = Object.fromEntries(Object.keys(expected).map((group) => [group, endOf(group)]));
      expect(ends).toEqual(expected);
      expect((retriesOf('retries-later')[0]?.dueAtMs ?? 0) - broker.clock.nowMs()).toBe(123_000);
    });
  });

  it('is reported to the events, with the original error', async () => {
    const failed: unknown[] = [];
    class OwnError extends Error {}
    @Injectable()
    class Failing {
      @RocketMQListener('reported', { consumerGroup: 'reported' })
      async handle(): Promise<void> {
        throw new OwnError('mine');
      }
    }
    const events = { onFailed: (_message: unknown, error: unknown) => void failed.push(error) };
    await withApp({ providers: [Failing], options: { events } }, async (_app, producer) => {
      await producer.send({ topic: 'reported', body: '1' });
      await broker.idle();
      expect(failed).toEqual([expect.any(OwnError)]);
    });
  });

  it('is an ack when a filter marks the message as handled, and not when a filter fails', async () => {
    @Catch()
    class MarkingFilter implements ExceptionFilter {
      catch(error: Error, host: ArgumentsHost): void {
        if (error.message === 'mark') host.switchToRpc().getContext<RocketMQContext>().markHandled();
        else throw new Error('the filter has an error of its own');
      }
    }
    const failed: string[] = [];
    @Injectable()
    @UseFilters(MarkingFilter)
    class Failing {
      @RocketMQListener('marked', { consumerGroup: 'marked' })
      async handle(body: string): Promise<void> {
        throw new Error(body);
      }
    }
    const events = { onFailed: (_message: unknown, error: unknown) => void failed.push((error as Error).message) };
    await withApp({ providers: [Failing], options: { events } }, async (_app, producer) => {
      await producer.send({ topic: 'marked', body: '"mark"' });
      await producer.send({ topic: 'marked', body: '"other"' });
      await broker.idle();
      expect(failed).toEqual(['other']);
      expect(retriesOf('marked').map(({ body }) => body.toString())).toEqual(['"other"']);
    });
  });
});

describe('a body that is invalid', () => {
  const Checked = defineTopic('checked', { type: 'normal', schema: z.object({ id: z.string() }) });

  @Injectable()
  class Listener {
    readonly bodies: unknown[] = [];

    @RocketMQListener(Checked, { consumerGroup: 'gives-up-invalid' })
    async strict(body: unknown): Promise<void> {
      this.bodies.push(body);
    }

    @RocketMQListener(Checked, { consumerGroup: 'retries-invalid', onInvalid: 'retry' })
    async patient(body: unknown): Promise<void> {
      this.bodies.push(body);
    }
  }

  it("is dead-lettered, or retried with onInvalid: 'retry'; no handler is called", async () => {
    await withApp({ providers: [Listener] }, async (app, producer) => {
      await producer.send({ topic: 'checked', body: { id: 7 } });
      await producer.send({ topic: 'checked', body: 'not JSON' });
      await broker.idle();
      expect(app.get(Listener).bodies).toEqual([]);
      expect(deadLettersIn('gives-up-invalid')).toHaveLength(2);
      expect(retriesOf('retries-invalid')).toHaveLength(2);
    });
  });
});

describe('dead letters', () => {
  it('are delivered to a listener as bytes', async () => {
    const dead: unknown[] = [];
    @Injectable()
    class Listener {
      @RocketMQListener('dying', { consumerGroup: 'dying' })
      async die(): Promise<void> {
        throw new DeadLetterError();
      }

      @RocketMQListener(deadLettersOf('dying'), { consumerGroup: 'undertaker' })
      async bury(body: Buffer): Promise<void> {
        dead.push(body);
      }
    }
    broker.declareTopic({ name: '%DLQ%dying', queues: 1 });
    await withApp({ providers: [Listener] }, async (_app, producer) => {
      await producer.send({ topic: 'dying', body: { id: 'x' } });
      await broker.idle();
      expect(dead).toEqual([Buffer.from('{"id":"x"}')]);
    });
  });
});

describe('listeners', () => {
  const calls: string[] = [];

  class Base {
    @RocketMQListener('inherited', { consumerGroup: 'found' })
    async inherited(): Promise<void> {
      calls.push('inherited');
    }

    @RocketMQListener('overridden', { consumerGroup: 'found' })
    async overridden(): Promise<void> {
      calls.push('overridden');
    }
  }

  @Injectable()
  class Derived extends Base {
    override async overridden(): Promise<void> {
      calls.push('without a decorator');
    }

    @RocketMQListener('twice-1', { consumerGroup: 'found', name: 'first' })
    @RocketMQListener('twice-2', { consumerGroup: 'found', name: 'second' })
    async twice(_body: unknown, { listener }: RocketMQContext): Promise<void> {
      calls.push(listener);
    }
  }

  class Made {
    @RocketMQListener('made', { consumerGroup: 'made' })
    async handle(): Promise<void> {
      calls.push('made');
    }
  }

  @Injectable()
  class ByClass {
    @RocketMQListener('by-class', { consumerGroup: 'by-class' })
    async handle(): Promise<void> {
      calls.push('class');
    }
  }

  class Value {
    constructor(private readonly word: string) {}

    @RocketMQListener('by-value', { consumerGroup: 'by-value' })
    async handle(): Promise<void> {
      calls.push(this.word);
    }
  }
  const value = new Value('value');

  @Controller()
  class InController {
    @RocketMQListener('in-controller', { consumerGroup: 'in-controller' })
    async handle(): Promise<void> {
      calls.push('controller');
    }
  }

  it('are found on classes, parent classes, controllers, values and instances from factories, each once', async () => {
    const providers: Provider[] = [
      Derived,
      { provide: 'ALIAS', useExisting: Derived },
      { provide: 'MADE', useFactory: async () => new Made() },
      { provide: 'BY_CLASS', useClass: ByClass },
      { provide: 'ALIAS_BY_CLASS', useExisting: 'BY_CLASS' },
      { provide: 'BY_VALUE', useValue: value },
      { provide: 'SAME_VALUE', useValue: value },
      { provide: 'NOTHING', useValue: null },
      { provide: 'BARE', useValue: Object.create(null) },
    ];
    await withApp({ providers, controllers: [InController] }, async (_app, producer) => {
      const ofClasses = ['inherited', 'overridden', 'twice-1', 'twice-2', 'in-controller'];
      for (const topic of [...ofClasses, 'made', 'by-class', 'by-value']) await producer.send({ topic, body: '1' });
      await broker.idle();
      const once = ['class', 'controller', 'first', 'inherited', 'made', 'second', 'value'];
      expect(calls.sort()).toEqual(once);
    });
  });

  it('are missing where a method overrides one without a decorator, which is logged; getters are not called', async () => {
    class WithGetter extends Derived {
      get trap(): never {
        throw new Error('a getter was called');
      }
    }
    const logger = recordingLogger();
    await withApp({ providers: [WithGetter], options: { logger } }, async () => {});
    const warnings = logger.lines.filter(([line]) => line.startsWith('warn'));
    const text = /WithGetter\.overridden overrides a method with @RocketMQListener.*decorate it/;
    expect(warnings).toEqual([[expect.stringMatching(text), {}]]);
  });

  it('are rejected when they are generators, which would never run', () => {
    const generators = {
      *one(): Generator<number> {
        yield 1;
      },
      async *two(): AsyncGenerator<number> {
        yield 1;
      },
    };
    for (const method of [generators.one, generators.two]) {
      class Orders {}
      const descriptor = { value: method as () => unknown };
      const decorate = () => RocketMQListener('generated')(Orders.prototype, 'handle', descriptor);
      expect(decorate).toThrow(/^\[GENERATOR_HANDLER\] Orders\.handle \(@RocketMQListener\) is a generator/);
    }
  });

  it('are rejected when two modules provide their class, and both are named', async () => {
    @Injectable()
    class Orders {
      @RocketMQListener('two-modules', { consumerGroup: 'two-modules' })
      async handle(): Promise<void> {}
    }
    @Module({ providers: [Orders] })
    class First {}
    @Module({ providers: [Orders] })
    class Second {}
    const { endpoints } = broker;
    const imports = [First, Second, RocketMQModule.forRoot({ endpoints, logger: silentLogger })];
    const app = await Test.createTestingModule({ imports }).compile();
    await expect(app.init()).rejects.toThrow(/LISTENER_NAME_TAKEN.*Orders\.handle.*two modules, in one of them only/);
    await closeApp(app);
  });
});
