// What the compiler rejects of requests with a definition. The functions are never called; `npm run typecheck` tests them.

import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { IsInt, IsString } from 'class-validator';
import { type Observable, of } from 'rxjs';
import * as v from 'valibot';
import { z } from 'zod';
import {
  type BodyOf,
  defineRequest,
  type InputOf,
  type RequestDefinition,
  type RocketMQBatchContext,
  type RocketMQContext,
  type RocketMQProducer,
  RocketMQReply,
  type RocketMQRequester,
} from '../entries/nest.js';

class PriceRequest {
  @IsString()
  readonly text!: string;

  words(): number {
    return this.text.split(' ').length;
  }
}
class PriceAnswer {
  @IsInt()
  readonly cents!: number;

  inWords(): string {
    return `${this.cents}`;
  }
}

const Typed = defineRequest<{ item: string }, { cents: number }>('typed:of');
const Checked = defineRequest('checked', {
  request: z.object({ at: z.iso.datetime().transform((text) => new Date(text)) }),
  answer: v.object({ count: v.optional(v.pipe(v.string(), v.transform(Number)), '1') }),
});
const OfClasses = defineRequest('classes', { request: PriceRequest, answer: PriceAnswer });
const HalfChecked = defineRequest<{ item: string }, number>('half', { request: z.object({ item: z.string() }) });
const RequestOnly = defineRequest('request-only', { request: z.object({ item: z.string() }) });
const Untyped = defineRequest('untyped');
const Undefined = defineRequest<undefined, undefined>('undefined');
const NoAnswer = defineRequest<{ item: string }, undefined>('no-answer');
const AnswerOnly = defineRequest('answer-only', { request: undefined, answer: z.number() });
const Nothing = defineRequest<string, void>('nothing');

const inputs: [InputOf<typeof Checked.topic>, BodyOf<typeof Checked.topic>] = [
  { at: '2026-01-01T00:00:00Z' },
  { at: new Date(0) },
];
const widened: RequestDefinition<{ item: string }, { cents: number }> = Typed;

function definitions(): unknown[] {
  return [
    // @ts-expect-error no schema
    defineRequest('x', { request: { parse: () => 1 } }),
    // @ts-expect-error no such option
    defineRequest('x', { reply: z.string() }),
    // @ts-expect-error the schema is of another type
    defineRequest<{ item: string }, number>('x', { request: z.object({ item: z.number() }) }),
    // @ts-expect-error a pattern is a string
    defineRequest({ cmd: 'x' }),
  ];
}

function requests(producer: RocketMQProducer, requester: RocketMQRequester): unknown[] {
  const cents: Promise<{ cents: number }> = producer.request(Typed, { item: 'tea' });
  const count: Promise<{ count: number }> = requester.request(Checked, { at: '2026-01-01T00:00:00Z' });
  const instance: Promise<string> = producer.request(OfClasses, { text: 'how much' }).then((one) => one.inWords());
  const half: Promise<number> = producer.request(HalfChecked, { item: 'tea' });
  const byPattern: Promise<number> = producer.request<number>('typed:of', { anything: true }, { delayMs: 5 });
  const none: Promise<undefined> = producer.request(NoAnswer, { item: 'tea' });
  const some: Promise<number> = producer.request(AnswerOnly, 'anything');
  // @ts-expect-error the answer is undefined
  const other: Promise<number> = producer.request(Undefined, undefined);
  // @ts-expect-error the answer has another type
  const wrong: Promise<{ cents: string }> = producer.request(Typed, { item: 'tea' });
  // @ts-expect-error the requester gets the output of the schema
  const input: Promise<{ count?: string }> = requester.request(Checked, { at: '' });
  // @ts-expect-error an answer without a type is unknown
  const unknown: Promise<string> = producer.request(Untyped, 1);
  return [
    [cents, count, instance, half, byPattern, none, some, other, wrong, input, unknown],
    // @ts-expect-error the request is undefined
    producer.request(Undefined, { item: 'tea' }),
    producer.request(OfClasses, new PriceRequest(), { keys: ['a'], timeoutMs: 5 }),
    producer.request(Untyped, { anything: true }),
    producer.request(Nothing, 'a'),
    producer.request(widened, { item: 'tea' }),
    // @ts-expect-error the request has another type
    producer.request(Typed, { item: 7 }),
    // @ts-expect-error the request is missing
    producer.request(Typed),
    // @ts-expect-error the requester passes the input of the schema, not its output
    requester.request(Checked, { at: new Date() }),
    // @ts-expect-error the request has another type
    requester.request(OfClasses, { text: 7 }),
    // @ts-expect-error a request has no delay
    producer.request(Typed, { item: 'tea' }, { delayMs: 5 }),
    // @ts-expect-error no such option
    producer.request(Typed, { item: 'tea' }, { timeout: 5 }),
  ];
}

function replies(): unknown[] {
  @Controller()
  class Fits {
    @RocketMQReply(Typed)
    priceOf({ item }: { item: string }): { cents: number } {
      return { cents: item.length };
    }

    @RocketMQReply(Typed, { consumerGroup: 'g', handlerTimeoutMs: 5, connection: 'audit' })
    async later(_request: { item: string }, { messageId }: RocketMQContext): Promise<{ cents: number }> {
      return { cents: messageId.length };
    }

    @RocketMQReply(Typed)
    several(): Observable<{ cents: number }> {
      return of({ cents: 1 });
    }

    @RocketMQReply(Typed)
    async severalLater(): Promise<Observable<{ cents: number }>> {
      return of({ cents: 1 });
    }

    @RocketMQReply(Typed)
    async oneOrSeveral({ item }: { item: string }): Promise<{ cents: number } | Observable<{ cents: number }>> {
      return item === 'tea' ? { cents: 1 } : of({ cents: 1 });
    }

    @RocketMQReply(Undefined)
    undefined(_request: undefined): undefined {}

    @RocketMQReply(Checked)
    input({ at }: { at: Date }): { count?: string } {
      return at.getTime() === 0 ? {} : { count: '7' };
    }

    @RocketMQReply(OfClasses)
    plain(request: PriceRequest): { cents: number } {
      return { cents: request.words() };
    }

    @RocketMQReply(Untyped)
    anything(_request: unknown): string {
      return '';
    }

    @RocketMQReply(RequestOnly)
    anyAnswer({ item }: { item: string }): string {
      return item;
    }

    @RocketMQReply(Nothing)
    nothing(_request: string): void {}

    @RocketMQReply(Nothing)
    async nothingLater(): Promise<void> {}

    @RocketMQReply(Typed)
    inPlace(@Payload() { item }: { item: string }, @Ctx() context: RocketMQContext): { cents: number } {
      return { cents: item.length + context.messageId.length };
    }

    @RocketMQReply(Typed, { parameters: 'decorated' })
    decorated(@Ctx() context: RocketMQContext, @Payload('item') item: string): number {
      return item.length + context.messageId.length;
    }
  }
  return [Fits];
}

function repliesRejected(): unknown[] {
  class Wrong {
    // @ts-expect-error the request has another type
    @RocketMQReply(Typed)
    request({ item }: { item: number }): { cents: number } {
      return { cents: item };
    }

    // @ts-expect-error the request is the output of the schema
    @RocketMQReply(Checked)
    output({ at }: { at: string }): object {
      return { count: at };
    }

    // @ts-expect-error a request without a type is unknown
    @RocketMQReply(Untyped)
    unknown({ item }: { item: string }): string {
      return item;
    }

    // @ts-expect-error the answer has another type
    @RocketMQReply(Typed)
    answer(_request: { item: string }): { cents: string } {
      return { cents: '1' };
    }

    // @ts-expect-error the answer is missing
    @RocketMQReply(Typed)
    none(_request: { item: string }): void {}

    // @ts-expect-error the promise is of another type
    @RocketMQReply(Typed)
    async promise(): Promise<{ cents: string }> {
      return { cents: '1' };
    }

    // @ts-expect-error the observable is of another type
    @RocketMQReply(Typed)
    observable(): Observable<number> {
      return of(1);
    }

    // @ts-expect-error the promised observable is of another type
    @RocketMQReply(Typed)
    async observableLater(): Promise<Observable<number>> {
      return of(1);
    }

    // @ts-expect-error the request is undefined
    @RocketMQReply(Undefined)
    undefined(_request: string): undefined {}

    // @ts-expect-error the handler returns the input of the schema, not its output
    @RocketMQReply(Checked)
    input(): { count: number } {
      return { count: 1 };
    }

    // @ts-expect-error a request has the context of a single message
    @RocketMQReply(Typed)
    context(_request: { item: string }, context: RocketMQBatchContext): { cents: number } {
      return { cents: context.messages.length };
    }

    // @ts-expect-error there is no third parameter
    @RocketMQReply(Typed)
    third(_request: unknown, _context: RocketMQContext, _more: string): { cents: number } {
      return { cents: 1 };
    }

    // @ts-expect-error decorated parameters require parameters: 'decorated'
    @RocketMQReply(Typed)
    field(@Payload('item') item: string): { cents: number } {
      return { cents: item.length };
    }

    // @ts-expect-error a request has one answer, so there are no batches
    @RocketMQReply(Typed, { batch: { maxSize: 2, maxWaitMs: 5 } })
    batch(): { cents: number } {
      return { cents: 1 };
    }

    // @ts-expect-error the tag is part of the pattern
    @RocketMQReply(Typed, { filter: 'a' })
    filter(): { cents: number } {
      return { cents: 1 };
    }

    // @ts-expect-error a pattern alone is for @MessagePattern
    @RocketMQReply('typed:of')
    pattern(): { cents: number } {
      return { cents: 1 };
    }
  }
  return [Wrong];
}

describe('the types of requests', () => {
  it('are checked by the compiler', () => {
    expect(inputs).toHaveLength(2);
    expect([definitions, requests, replies, repliesRejected].every((one) => typeof one === 'function')).toBe(true);
  });
});
