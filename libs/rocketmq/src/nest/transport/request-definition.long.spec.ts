// Requests with a definition: typed and validated at both ends.

import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern, RpcException } from '@nestjs/microservices';
import { Type as Transformed } from 'class-transformer';
import { IsDate, IsInt, IsString, Min } from 'class-validator';
import { of } from 'rxjs';
import * as v from 'valibot';
import { z } from 'zod';
import { ClientBench } from '../../../../../test/fixtures/client-bench.js';
import { recordingLogger } from '../../../../../test/fixtures/nest-bench.js';
import { until } from '../../../../../tools/until.js';
import {
  defineRequest,
  type InvalidBodyError,
  isErrorOf,
  RocketMQContext,
  RocketMQProducer,
  RocketMQReply,
} from '../../entries/nest.js';

const bench = ClientBench.ofFile();

const PriceOf = defineRequest('prices:of', {
  request: z.object({ item: z.string().min(1), amount: z.coerce.number<string>().default(1) }),
  answer: z.object({ cents: z.int(), since: z.iso.datetime().transform((text) => new Date(text)) }),
});
const since = '2026-01-01T00:00:00Z';

/** The failure of a request. */
const failureOf = (asking: Promise<unknown>): Promise<Error> =>
  asking.then(
    () => Promise.reject(new Error('it was answered')),
    (error: Error) => error,
  );

describe('a request with a definition', () => {
  it('passes the output of the schemas to handler and requester, by requester and by producer', async () => {
    const got: unknown[] = [];
    @Controller()
    class Prices {
      @RocketMQReply(PriceOf, { name: 'price' })
      async priceOf(request: { item: string; amount: number }, context: RocketMQContext) {
        got.push([request, context instanceof RocketMQContext, context.listener, context.message.tag]);
        return { cents: 250 * request.amount, since };
      }
    }
    await bench.server(Prices);
    const { app, requester } = await bench.asking();
    const expected = { cents: 500, since: new Date(since) };
    await expect(requester.request(PriceOf, { item: 'tea', amount: '2' })).resolves.toEqual(expected);
    const asked = app.get(RocketMQProducer).request(PriceOf, { item: 'tea' }, { keys: ['k'], timeoutMs: 5_000 });
    await expect(asked).resolves.toEqual({ cents: 250, since: new Date(since) });
    expect(got).toEqual([
      [{ item: 'tea', amount: 2 }, true, 'price', 'of'],
      [{ item: 'tea', amount: 1 }, true, 'price', 'of'],
    ]);
    expect(bench.broker.messages('prices').map(({ body }) => body.toString())).toEqual([
      '{"item":"tea","amount":"2"}',
      '{"item":"tea"}',
    ]);
  });

  it('recognizes the errors whose details fit its schema, with what the schema makes of them', async () => {
    const Buy = defineRequest('shop:buy', {
      request: z.string(),
      error: z.object({ code: z.literal('SOLD_OUT'), again: z.iso.date().transform((day) => new Date(day)) }),
    });
    @Controller()
    class Shop {
      @RocketMQReply(Buy)
      buy(kind: string): never {
        if (kind === 'sold') throw new RpcException({ code: 'SOLD_OUT', again: '2026-12-01' });
        throw kind === 'other' ? new RpcException({ code: 'BROKEN', left: 1 }) : new Error(kind);
      }
    }
    await bench.server(Shop);
    const { requester } = await bench.asking();
    const sold = await failureOf(requester.request(Buy, 'sold'));
    if (!isErrorOf(Buy, sold)) throw sold;
    const again: Date = sold.details.again;
    expect([sold.code, again]).toEqual(['SOLD_OUT', new Date('2026-12-01')]);
    const other = await failureOf(requester.request(Buy, 'other'));
    expect([isErrorOf(Buy, other), other]).toMatchObject([
      false,
      { code: 'BROKEN', details: { code: 'BROKEN', left: 1 } },
    ]);
    const plain = await failureOf(requester.request(Buy, 'plain'));
    expect([isErrorOf(Buy, plain), plain.message, isErrorOf(PriceOf, sold)]).toEqual([false, 'plain', false]);
  });

  it('works with types alone, classes, valibot, strings, observables and nothing as an answer', async () => {
    class Order {
      @IsString()
      readonly item!: string;

      @Transformed(() => Date)
      @IsDate()
      readonly due!: Date;

      get year(): number {
        return this.due.getUTCFullYear();
      }
    }
    class Receipt {
      @IsInt()
      @Min(1)
      readonly number!: number;

      get label(): string {
        return `#${this.number}`;
      }
    }
    const Place = defineRequest('shop:place', { request: Order, answer: Receipt });
    const Greet = defineRequest('shop:greet', { request: v.string(), answer: v.string() });
    const Count = defineRequest<{ upTo: number }, number>('shop:count');
    const Forget = defineRequest<string, void>('shop:forget');
    const years: number[] = [];
    @Controller()
    class Shop {
      @RocketMQReply(Place)
      place(order: Order): { number: number; label: string } {
        years.push(order.year);
        return { number: 7, label: '' };
      }

      @RocketMQReply(Greet)
      async greet(name: string): Promise<string> {
        return `hello ${name}`;
      }

      @RocketMQReply(Count)
      count({ upTo }: { upTo: number }) {
        return of(0, upTo);
      }

      @RocketMQReply(Forget)
      forget(_name: string): void {}
    }
    await bench.server(Shop);
    const { requester } = await bench.asking();
    const receipt = await requester.request(Place, { item: 'tea', due: new Date(since), year: 0 });
    expect([receipt instanceof Receipt, receipt.label, years]).toEqual([true, '#7', [2026]]);
    await expect(requester.request(Greet, 'Ada')).resolves.toBe('hello Ada');
    await expect(requester.request(Count, { upTo: 3 })).resolves.toBe(3);
    await expect(requester.request(Forget, 'Ada')).resolves.toBeUndefined();
  });

  it('is not sent when it does not fit its schema, or is for another type of topic', async () => {
    const { requester } = await bench.asking();
    const wrong = requester.request(PriceOf, { item: '' });
    await expect(wrong).rejects.toMatchObject({ code: 'INVALID_BODY', outcome: 'not-sent' });
    await expect(wrong).rejects.toThrow(/"prices": .*item: .*nothing was sent/);
    await expect(requester.request(PriceOf, { item: 'tea' }, { delayMs: 5 } as never)).rejects.toMatchObject({
      code: 'MESSAGE_TYPE_MISMATCH',
    });
    await expect(requester.request(PriceOf, { item: 'tea' }, { tag: 'other' })).rejects.toMatchObject({
      code: 'TAG_GIVEN_TWICE',
    });
    expect(bench.broker.messages('prices')).toEqual([]);
  });

  it('is checked where it is defined', () => {
    expect(() => defineRequest('prices:of || all')).toThrow(/ILLEGAL_PATTERN.*request to "prices:of \|\| all"/);
    expect(() => defineRequest('no blanks')).toThrow(/ILLEGAL_PATTERN.*request: .*"no blanks"/);
    expect(() => defineRequest('prices', { request: {} as never })).toThrow(
      /ILLEGAL_OPTION.*"prices": request must be a Standard Schema/,
    );
    expect(() => defineRequest('prices', { answer: 7 as never })).toThrow(/ILLEGAL_OPTION.*answer must be/);
  });
});

describe('a received request that does not fit its schema', () => {
  /** Sent by a client without the definition. */
  async function rejected(onInvalid?: 'retry' | ((error: InvalidBodyError) => 'ack')) {
    const called: unknown[] = [];
    @Controller()
    class Prices {
      @RocketMQReply(PriceOf, { onInvalid })
      priceOf(request: { item: string; amount: number }) {
        called.push(request);
        return { cents: 1, since };
      }
    }
    await bench.server(Prices);
    const { requester } = await bench.asking();
    const error = await failureOf(requester.request('prices:of', { item: 7 }));
    await bench.broker.idle();
    const dead = bench.broker.messages('%DLQ%shop').length;
    return { error, called, waiting: bench.broker.waiting(), dead };
  }

  it.each([
    ['by default', undefined, 1],
    ['with onInvalid retry', 'retry' as const, 0],
    ['with onInvalid ack', () => 'ack' as const, 0],
  ])('is answered with an error that names the field, and not retried: %s', async (_, onInvalid, dead) => {
    const outcome = await rejected(onInvalid);
    expect(outcome).toMatchObject({ called: [], waiting: [], dead });
    expect(outcome.error).toMatchObject({
      name: 'InvalidBodyError',
      message: expect.stringMatching(/"prices".*item: /),
    });
  });
});

describe('an answer that does not fit its schema', () => {
  it('becomes an error for the requester, and an error in the log of the handler', async () => {
    const logger = recordingLogger();
    @Controller()
    class Prices {
      @RocketMQReply(PriceOf)
      priceOf(_request: { item: string; amount: number }) {
        return { cents: 2.5, since };
      }
    }
    await bench.server(Prices, { logger });
    const { requester } = await bench.asking();
    const error = await failureOf(requester.request(PriceOf, { item: 'tea' }));
    expect(error.message).toMatch(/INVALID_REPLY.*"prices".*cents: .*the request took effect/);
    const [line] = logger.lines.filter(([text]) => text.startsWith('error '));
    expect(line).toEqual([
      'error the answer to a request is invalid; the requester gets an error, although the request took effect',
      expect.objectContaining({
        listener: 'Prices.priceOf',
        topic: 'prices',
        error: expect.stringContaining('cents: '),
      }),
    ]);
    await bench.broker.idle();
    expect(bench.broker.waiting()).toEqual([]);
  });

  it('is an error for the requester where only the requester has the schema', async () => {
    @Controller()
    class Prices {
      @MessagePattern<string>('prices:of')
      priceOf() {
        return { cents: '250', since };
      }
    }
    await bench.server(Prices);
    const { requester } = await bench.asking();
    const asked = requester.request(PriceOf, { item: 'tea' });
    await expect(asked).rejects.toMatchObject({ code: 'INVALID_REPLY' });
    await expect(asked).rejects.toThrow(/"prices:of" does not fit its schema \(cents: .*\); the request took effect/);
  });

  it('is not looked at for a message that is not a request', async () => {
    let calls = 0;
    @Controller()
    class Prices {
      @RocketMQReply(PriceOf)
      priceOf(_request: { item: string; amount: number }) {
        calls++;
        return { cents: 2.5, since };
      }
    }
    const app = await bench.server(Prices);
    await app.get(RocketMQProducer).send({ topic: 'prices', tag: 'of', body: { item: 'tea' } });
    await until(() => calls > 0);
    await bench.broker.idle();
    expect([calls, bench.broker.waiting()]).toEqual([1, []]);
  });
});
