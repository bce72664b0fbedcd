// Which definitions the compiler accepts in place of others. The functions are never called; `npm run typecheck` tests them.

import { describe, expect, it } from '@jest/globals';
import { IsInt } from 'class-validator';
import { z } from 'zod';
import {
  defineRequest,
  defineTopic,
  type InputOf,
  outboxMessage,
  type RequestDefinition,
  type RocketMQContext,
  RocketMQListener,
  RocketMQModule,
  type RocketMQProducer,
  RocketMQReply,
  type TopicDefinition,
  type TopicLike,
  type TopicSender,
  TransactionalSend,
  type TransactionCheck,
  TransactionChecker,
} from '../entries/nest.js';

interface Order {
  readonly id: string;
  readonly note?: string;
}
// biome-ignore lint/suspicious/noExplicitAny: applications use it
type Anything = any;

const Plain = defineTopic<Order>('plain', { type: 'normal' });
const Delayed = defineTopic<Order>('delayed', { type: 'delay' });
const Untyped = defineTopic('untyped', { type: 'normal' });
const OfAnything = defineTopic<Anything>('anything', { type: 'normal' });
const Parsed = defineTopic('parsed', {
  type: 'normal',
  schema: z.object({ at: z.iso.datetime().transform((text) => new Date(text)), id: z.string().default('none') }),
});
const Price = defineRequest<{ item: string }, { cents: number }>('price');
const Counted = defineRequest('counted', { request: z.string(), answer: z.number().default(1) });

class Line {
  @IsInt()
  readonly count!: number;

  total(): number {
    return this.count;
  }
}
class Money {
  private readonly cents = 1;

  value(): number {
    return this.cents;
  }
}
type Json = string | null | Json[] | { [field: string]: Json };
type List = [number, List | null];
class Cart {
  readonly lines!: Line[];
  readonly first!: Line | null;
  readonly last?: Line;
  readonly either!: Line | string | Date;
  readonly byName!: Record<string, Line>;
  readonly nested!: { readonly line: Line; readonly at: Date };
  readonly seen!: Map<string, Set<Date>>;
  readonly id!: string & { readonly '~brand': 'Id' };
  readonly bytes!: Buffer;
  readonly price!: Money;
  readonly list!: List;
  readonly json!: Json;
  readonly anything!: Anything;
  readonly unknown!: unknown;
  readonly parent?: Cart;
  readonly children!: Cart[];

  get size(): number {
    return this.lines.length;
  }

  sum(): number {
    return this.lines.reduce((sum, line) => sum + line.total(), 0);
  }
}
const Carts = defineTopic('carts', { type: 'normal', schema: Cart });
const Sum = defineRequest('sum', { request: Cart, answer: Line });

const publisherOf =
  <T extends object>(type: new () => T, producer: RocketMQProducer) =>
  (body: T) =>
    producer.send(defineTopic('any-class', { type: 'normal', schema: type }), body);

function nestedClasses(producer: RocketMQProducer, cart: Cart, now: Date): unknown[] {
  const plain: InputOf<typeof Carts> = {
    lines: [{ count: 1 }],
    first: null,
    either: { count: 1 },
    byName: { a: { count: 1 } },
    nested: { line: { count: 1 }, at: now },
    seen: new Map(),
    id: cart.id,
    bytes: Buffer.from('a'),
    price: new Money(),
    list: [1, [2, null]],
    json: { a: ['b', { c: null }] },
    anything: 7,
    unknown: 7,
    children: [],
    size: 1,
  };
  return [
    producer.send(Carts, plain),
    producer.send(Carts, cart),
    publisherOf(Cart, producer)(cart),
    producer.send(Carts, { ...cart, size: 2, lines: [...cart.lines, { count: 2 }] }),
    producer.send(Carts, { ...plain, last: { count: 1 }, parent: plain, children: [{ ...plain, children: [plain] }] }),
    producer.request(Sum, plain).then((line) => line.total()),
    // @ts-expect-error a string with a brand is a string
    producer.send(Carts, { ...plain, id: { '~brand': 'Id', length: 1 } }),
    // @ts-expect-error a field of a nested object has another type
    producer.send(Carts, { ...plain, lines: [{ count: '1' }] }),
    // @ts-expect-error a field of a nested object is missing
    producer.send(Carts, { ...plain, first: {} }),
    // @ts-expect-error none of them is a number
    producer.send(Carts, { ...plain, either: 7 }),
    // @ts-expect-error a date is no string
    producer.send(Carts, { ...plain, nested: { line: { count: 1 }, at: '2026-01-01' } }),
    // @ts-expect-error a Map is no object with fields
    producer.send(Carts, { ...plain, seen: {} }),
    // @ts-expect-error its fields are private
    producer.send(Carts, { ...plain, price: {} }),
    // @ts-expect-error a field of a nested cart has another type
    producer.send(Carts, { ...plain, children: [{ ...plain, first: 7 }] }),
  ];
}

function widened(producer: RocketMQProducer): unknown[] {
  // @ts-expect-error the topic does not take strings
  const input: TopicDefinition<Order, Order | string> = Plain;
  // @ts-expect-error the requester would pass numbers
  const request: RequestDefinition<{ item: string | number }, { cents: number }> = Price;
  // @ts-expect-error the handler would return strings
  const answer: RequestDefinition<{ item: string }, { cents: number } | string> = Price;
  // @ts-expect-error the topic does not take strings
  const sender: TopicSender<Order | string> = producer.for(Plain);
  const anyTopic: TopicDefinition = Plain;
  const anyRequest: RequestDefinition = Price;
  const byKey: Record<string, TopicDefinition> = { Plain };
  return [
    [input, request, answer, sender],
    // @ts-expect-error what this topic takes is not known
    producer.send(anyTopic, { id: 'a' }),
    // @ts-expect-error what this topic takes is not known
    producer.send(byKey.Plain ?? anyTopic, 7),
    // @ts-expect-error what this request takes is not known
    producer.request(anyRequest, { item: 'tea' }),
  ];
}

function accepted(producer: RocketMQProducer): unknown[] {
  const topics: readonly TopicDefinition[] = [Plain, Delayed, Untyped, OfAnything, Parsed, Price.topic];
  const byKey: Record<string, TopicDefinition> = { Plain, Delayed, Untyped, OfAnything, Parsed };
  const likes: readonly TopicLike[] = [Plain, Parsed, 'by-name'];
  const requests: readonly RequestDefinition[] = [Price, Counted];
  const ofAny: TopicDefinition<Anything> = Plain;
  const ofAnyBoth: TopicDefinition<Anything, Anything> = Parsed;
  const fromAny: TopicDefinition<Order> = OfAnything;
  const narrower: TopicDefinition<Order, { id: 'a' }> = Plain;
  const withMore: TopicDefinition<unknown, { at: string; id: string }> = Parsed;
  const answers: RequestDefinition<{ item: string }, unknown, { item: string }, { cents: number }> = Price;
  const plain: TopicSender<Order> = producer.for(Plain);
  const input: InputOf<typeof Parsed> = { at: '2026-01-01T00:00:00Z' };
  return [
    [topics, byKey, likes, requests, fromAny, plain],
    RocketMQModule.forRoot({ endpoints: 'localhost:8081', topics: [Plain, Delayed, Parsed, Price.topic] }),
    producer.send(ofAny, 'anything'),
    producer.send(ofAnyBoth, 'anything'),
    producer.send(Untyped, 7),
    producer.send(OfAnything, 7),
    producer.send(narrower, { id: 'a' }),
    producer.send(withMore, { at: '', id: '' }),
    producer.send(Parsed, input),
    producer.request(answers, { item: 'tea' }),
  ];
}

/** What applications write for any topic of a body. */
function generic(producer: RocketMQProducer): unknown[] {
  const send = <T>(topic: TopicDefinition<T>, body: T) => producer.send(topic, body);
  const later = <T extends object>(topic: TopicDefinition<T, T, 'delay'>, body: T) =>
    producer.send(topic, body, { delayMs: 5 });
  const sendAll = <T>(topic: TopicDefinition<T>, bodies: readonly T[]) =>
    producer.sendBatch(
      topic,
      bodies.map((body) => ({ body })),
    );
  const sendInput = <T, Input>(topic: TopicDefinition<T, Input>, body: Input) => producer.for(topic).send(body);
  const ofTopic = <T extends TopicDefinition<Anything, Anything, 'normal'>>(topic: T, body: InputOf<T>) =>
    producer.send(topic, body);
  const ask = <Q, A>(request: RequestDefinition<Q, A>, data: Q): Promise<A> => producer.request(request, data);
  const make = <T>(name: string): TopicDefinition<T> => defineTopic<T>(name, { type: 'normal' });
  const declared = <T extends TopicDefinition>(topic: T): T => topic;
  const transact = <T>(topic: TopicDefinition<T, T, 'transaction'>, body: T) =>
    producer.transaction({ topic, body }, async () => 1);
  const keep = <T>(topic: TopicDefinition<T>, body: T) => outboxMessage(topic, body);
  return [
    send(Plain, { id: 'a' }),
    later(Delayed, { id: 'a' }),
    sendAll(Plain, [{ id: 'a' }]),
    sendInput(Parsed, { at: '' }),
    ofTopic(Parsed, { at: '' }),
    ask(Price, { item: 'tea' }),
    send(make<string>('of-strings'), 'a'),
    producer.send(declared(Plain), { id: 'a' }),
    keep(Plain, { id: 'a' }),
    transact,
    // @ts-expect-error the body has another type
    send(Plain, { id: 7 }),
    // @ts-expect-error the sender passes the input of the schema
    sendInput(Parsed, { at: new Date() }),
    // @ts-expect-error the request has another type
    ask(Price, { item: 7 }),
    // @ts-expect-error the body has another type
    producer.send(declared(Plain), { id: 7 }),
  ];
}

function genericClasses<T, Q, A>(
  topic: TopicDefinition<T>,
  request: RequestDefinition<Q, A>,
  transactional: TopicDefinition<T, T, 'transaction'>,
): unknown {
  abstract class Handling {
    readonly seen: T[] = [];

    abstract answerTo(request: Q): Promise<A>;

    @RocketMQListener(topic)
    async listen(body: T, _context: RocketMQContext): Promise<void> {
      this.seen.push(body);
    }

    @RocketMQReply(request)
    async reply(data: Q): Promise<A> {
      return this.answerTo(data);
    }

    @TransactionalSend(transactional, { message: (body: T) => ({ body }) })
    async transact(body: T): Promise<T> {
      return body;
    }

    @TransactionChecker(transactional)
    check(_check: TransactionCheck<T>): 'commit' {
      return 'commit';
    }
  }
  return Handling;
}

describe('the types of definitions', () => {
  it('are checked by the compiler', () => {
    expect([nestedClasses, widened, accepted, generic, genericClasses].every((one) => typeof one === 'function')).toBe(
      true,
    );
  });
});
