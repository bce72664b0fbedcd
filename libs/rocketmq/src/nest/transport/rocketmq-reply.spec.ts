// The decorator of handlers that answer requests with a definition: its options, and where it works.

import { describe, expect, it } from '@jest/globals';
import { Controller, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { z } from 'zod';
import { ClientBench } from '../../../../../test/support/client-bench.js';
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

  it("leaves parameters to decorators with parameters: 'decorated', and refuses that without them", async () => {
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
