// The decorator of handlers that answer requests with a definition: its options, and where it works.

import { describe, expect, it } from '@jest/globals';
import { Controller, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, MessagePattern, Payload, Transport } from '@nestjs/microservices';
import { z } from 'zod';
import { ClientBench } from '../../../../../test/fixtures/client-bench.js';
import { recordingLogger } from '../../../../../test/fixtures/nest-bench.js';
import {
  defineRequest,
  getRocketMQServerToken,
  type RocketMQContext,
  RocketMQModule,
  RocketMQReply,
  ServerRocketMQ,
} from '../../entries/nest.js';
import { silentLogger } from '../../support/logger.js';

const bench = ClientBench.ofFile();

describe('@RocketMQReply', () => {
  const Named = defineRequest<{ name: string; times: number }, string>('named');

  async function answered(controller: Type): Promise<unknown> {
    await bench.server(controller);
    const { requester } = await bench.asking();
    return requester.request(Named, { name: 'Ada', times: 2 });
  }

  it("leaves parameters to decorators with parameters: 'decorated', and rejects that without them", async () => {
    @Controller()
    class Names {
      @RocketMQReply(Named, { parameters: 'decorated' })
      named(@Payload('times') times: number, @Payload('name') name: string): string {
        return name.repeat(times);
      }
    }
    expect(await answered(Names)).toBe('AdaAda');
    const undecorated = (parameters: string) => () => {
      class Wrong {
        @RocketMQReply(Named, { parameters } as { parameters: 'decorated' })
        named(): string {
          return '';
        }
      }
      return Wrong;
    };
    expect(undecorated('positional')).toThrow(/ILLEGAL_OPTION.*Wrong\.named.*option parameters must be decorated/);
    expect(undecorated('decorated')).toThrow(/ILLEGAL_OPTION.*Wrong\.named.*no parameter has a decorator/);
  });

  it('are missing where a method overrides one without a decorator, which is logged', async () => {
    const logger = recordingLogger();
    class Base {
      @RocketMQReply(Named)
      named(): string {
        return 'base';
      }

      @EventPattern<string>('overridden-event')
      event(): void {}

      @MessagePattern('elsewhere', Transport.TCP)
      ofAnotherTransport(): void {}

      @MessagePattern<string>('overridden-pattern')
      decoratedAgain(): void {}

      @MessagePattern<string>('kept')
      kept(): void {}
    }
    @Controller()
    class Derived extends Base {
      override named(): string {
        return 'derived';
      }

      override event(): void {}

      override ofAnotherTransport(): void {}

      @MessagePattern<string>('overridden-pattern')
      override decoratedAgain(): void {}
    }
    await bench.server(Derived, { logger });
    const warnings = logger.lines.map(([line]) => line).filter((line) => line.startsWith('warn'));
    expect(warnings.sort()).toEqual([
      expect.stringMatching(/Derived\.event overrides a method with @EventPattern.*decorate it/),
      expect.stringMatching(/Derived\.named overrides a method with @RocketMQReply.*decorate it/),
    ]);
  });

  it('cannot be a generator, which would never run', () => {
    const decorate = () => {
      class Wrong {
        @RocketMQReply(defineRequest('generated'))
        async *named(): AsyncGenerator<number> {
          yield 1;
        }
      }
      return Wrong;
    };
    expect(decorate).toThrow(/GENERATOR_HANDLER.*Wrong\.named \(@RocketMQReply\) is a generator/);
  });

  it('has its options checked, and cannot be combined with another pattern', async () => {
    @Controller()
    class Unknown {
      @RocketMQReply(Named, { concurrency: 0 })
      named(): string {
        return '';
      }
    }
    @Controller()
    class Batches {
      @RocketMQReply(Named, { batch: { maxSize: 2, maxWaitMs: 5 } } as object)
      named(): string {
        return '';
      }
    }
    @Controller()
    class Twice {
      @MessagePattern<string>('other')
      @RocketMQReply(Named)
      named(): string {
        return '';
      }
    }
    await expect(bench.server(Unknown)).rejects.toThrow('Unknown.named (@RocketMQReply): option concurrency');
    await expect(bench.server(Batches)).rejects.toThrow('Batches.named (@RocketMQReply): option batch cannot');
    await expect(bench.server(Twice)).rejects.toThrow(/BOUND_TWICE.*"named" and the pattern "other"/);
  });

  it('answers on the connection that it names', async () => {
    @Controller()
    class Names {
      @RocketMQReply(Named, { connection: 'audit', consumerGroup: 'auditors' })
      named({ name }: { name: string }, { consumerGroup }: RocketMQContext): string {
        return `${name} by ${consumerGroup}`;
      }
    }
    const audit = RocketMQModule.forRoot({ name: 'audit', endpoints: bench.broker.endpoints, logger: silentLogger });
    @Module({ imports: [RocketMQModule.forRoot(bench.options()), audit], controllers: [Names] })
    class Both {}
    const app = await NestFactory.create(Both, { logger: false, abortOnError: false });
    bench.apps.push(app);
    for (const token of [ServerRocketMQ, getRocketMQServerToken('audit')]) {
      app.connectMicroservice({ strategy: app.get(token) });
    }
    await app.startAllMicroservices();
    await app.init();
    const { requester } = await bench.asking();
    await expect(requester.request(Named, { name: 'Ada', times: 1 })).resolves.toBe('Ada by auditors');
  });

  it('validates in an application without RocketMQModule, too', async () => {
    const PriceOf = defineRequest('prices:of', {
      request: z.object({ item: z.string() }),
      answer: z.object({ cents: z.int() }),
    });
    @Controller()
    class Prices {
      @RocketMQReply(PriceOf)
      priceOf({ item }: { item: string }) {
        return { cents: item.length };
      }
    }
    @Module({ controllers: [Prices] })
    class Alone {}
    const { endpoints } = bench.broker;
    const strategy = new ServerRocketMQ({ endpoints, consumerGroup: 'alone', logger: silentLogger });
    const app = await NestFactory.createMicroservice(Alone, { strategy, logger: false });
    bench.apps.push(app);
    await app.listen();
    const { requester } = await bench.asking();
    await expect(requester.request(PriceOf, { item: 'tea' })).resolves.toEqual({ cents: 3 });
    await expect(requester.request('prices:of', { item: 7 })).rejects.toThrow(/item: /);
  });
});
