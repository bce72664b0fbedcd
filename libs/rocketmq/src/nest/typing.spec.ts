// What the compiler rejects. The functions are never called; `npm run typecheck` tests them.

import { describe, expect, it } from '@jest/globals';
import { Body, Controller, Param, Post } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { IsString } from 'class-validator';
import * as v from 'valibot';
import { z } from 'zod';
import {
  type BodyOf,
  currentTransaction,
  deadLettersOf,
  defineTopic,
  type InputOf,
  type InvalidBodyError,
  type MessageFields,
  outboxMessage,
  type RocketMQBatchContext,
  type RocketMQContext,
  RocketMQListener,
  type RocketMQProducer,
  type TopicDefinition,
  type TransactionAnswer,
  type TransactionalMessage,
  TransactionalSend,
  type TransactionCheck,
  TransactionChecker,
} from '../entries/nest.js';
import { deliver, type FakeProducer, type InjectionContext } from '../entries/testing.js';

const Dated = defineTopic('dated', {
  type: 'transaction',
  schema: z.object({ at: z.iso.datetime().transform((text) => new Date(text)) }),
});
const Plain = defineTopic<{ id: string }>('plain', { type: 'normal' });
const Counted = defineTopic('counted', {
  type: 'normal',
  schema: v.object({ count: v.optional(v.pipe(v.string(), v.transform(Number)), '1') }),
});
class Letter {
  @IsString()
  readonly text!: string;

  read(): string {
    return this.text;
  }
}
const Letters = defineTopic('letters', { type: 'normal', schema: Letter });

const Untyped = defineTopic('untyped', { type: 'normal' });
const Steps = defineTopic<{ step: number }>('steps', { type: 'fifo' });
const Timeouts = defineTopic('timeouts', { type: 'delay', schema: z.object({ id: z.string() }) });
const Urgent = defineTopic('urgent', { type: 'priority', schema: Letter });
const Pairs = defineTopic<{ kind: 'none' } | { kind: 'pair'; pair: ['a', number] }>('pairs', { type: 'transaction' });
const Chats = defineTopic<{ text: string }>('chats', { type: 'lite' });
const OfAnyType: TopicDefinition<{ id: string }> = Plain;

function topics(): unknown[] {
  return [
    // @ts-expect-error no such type of topics
    defineTopic('x', { type: 'ordered' }),
    // @ts-expect-error a topic has a type
    defineTopic('x', {}),
    // @ts-expect-error no schema
    defineTopic('x', { type: 'normal', schema: { parse: () => 1 } }),
    // @ts-expect-error no such decision
    defineTopic('x', { type: 'normal', onInvalid: 'drop' }),
    defineTopic('x', {
      type: 'normal',
      onInvalid: (error: InvalidBodyError) => (error.topic === 'x' ? 'ack' : 'retry'),
    }),
    // @ts-expect-error no such decision
    defineTopic('x', { type: 'normal', onInvalid: () => 'drop' }),
  ];
}

const inputs: [InputOf<typeof Dated>, InputOf<typeof Counted>] = [{ at: '2026-01-01T00:00:00Z' }, { count: '7' }];

function sends(producer: RocketMQProducer): unknown[] {
  const ordered = { topic: 'by-name', body: 7, messageGroup: 'g' };
  const delayed = { delayMs: 5 };
  return [
    producer.send(Plain, { id: 'a' }),
    producer.send({ topic: 'by-name', body: 7 }),
    // @ts-expect-error the body has another type
    producer.send(Plain, { id: 7 }),
    // @ts-expect-error the body is missing
    producer.send(Plain),
    // @ts-expect-error no such option
    producer.send(Plain, { id: 'a' }, { delay: 7 }),
    // @ts-expect-error a topic by its name requires the plain form
    producer.send('by-name', 7),
    producer.send(Counted, {}),
    // @ts-expect-error the sender passes the input of the schema, not its output
    producer.send(Counted, { count: 1 }),
    producer.send(Letters, { text: 'an object will do' }),
    producer.send(Letters, new Letter()),
    // @ts-expect-error the body has another type
    producer.send(Letters, { text: 7 }),
    producer.sendBatch(Plain, [{ body: { id: 'a' }, keys: ['a'] }]),
    // @ts-expect-error one body has another type
    producer.sendBatch(Plain, [{ body: { id: 'a' } }, { body: { id: 7 } }]),
    // @ts-expect-error the body has another type
    producer.sendOneway(Plain, { id: 7 }),
    producer.transaction({ topic: Dated, body: { at: '2026-01-01T00:00:00Z' } }, async () => 1),
    // @ts-expect-error the sender passes the input of the schema, not its output
    producer.transaction({ topic: Dated, body: { at: new Date() } }, async () => 1),
    // @ts-expect-error a local transaction is asynchronous
    producer.transaction({ topic: Dated, body: { at: '2026-01-01T00:00:00Z' } }, () => 1),
    producer.transaction({ topic: 'by-name', body: 7 }, async () => 1),
    // @ts-expect-error ordered messages have no transactions
    producer.transaction({ topic: 'by-name', body: 7, messageGroup: 'g' }, async () => 1),
    // @ts-expect-error ordered messages have no transactions
    producer.transaction(ordered, async () => 1),
    // @ts-expect-error a message of a transaction has no delay
    currentTransaction().prepare({ body: 7, ...delayed }),
    // @ts-expect-error the sender has the topic
    producer.for(Dated).transaction({ body: { at: '2026-01-01T00:00:00Z' }, topic: 'other' }, async () => 1),
  ];
}

function sendsByType(producer: RocketMQProducer, someFields: MessageFields): unknown[] {
  const group = { messageGroup: 'a' };
  return [
    producer.send(Plain, { id: 'a' }, { keys: ['a'], timeoutMs: 5 }),
    // @ts-expect-error a delay is for topics of type delay
    producer.send(Plain, { id: 'a' }, { delayMs: 5 }),
    // @ts-expect-error a message group is for topics of type fifo
    producer.send(Plain, { id: 'a' }, group),
    // @ts-expect-error these fields may contain a delay
    producer.send(Plain, { id: 'a' }, someFields),
    producer.send(Steps, { step: 1 }, group),
    // @ts-expect-error a topic of type fifo requires a message group
    producer.send(Steps, { step: 1 }),
    // @ts-expect-error a topic of type fifo requires a message group
    producer.send(Steps, { step: 1 }, { keys: ['a'] }),
    // @ts-expect-error ordered messages have no delay
    producer.send(Steps, { step: 1 }, { messageGroup: 'a', delayMs: 5 }),
    producer.send(Timeouts, { id: 'a' }, { delayMs: 5 }),
    producer.send(Timeouts, { id: 'a' }, { deliverAt: new Date(0) }),
    // @ts-expect-error one of the two
    producer.send(Timeouts, { id: 'a' }, { delayMs: 5, deliverAt: new Date(0) }),
    // @ts-expect-error a topic of type delay requires a delay
    producer.send(Timeouts, { id: 'a' }),
    producer.send(Urgent, { text: 'a' }, { priority: 1 }),
    // @ts-expect-error a topic of type priority requires a priority
    producer.send(Urgent, { text: 'a' }, {}),
    producer.send(Chats, { text: 'a' }, { liteTopic: 'a' }),
    // @ts-expect-error a topic of type lite requires a lite topic
    producer.send(Chats, { text: 'a' }),
    // @ts-expect-error a transactional topic takes no sends
    producer.send(Dated, { at: '' }),
    // @ts-expect-error a transactional topic takes no sends
    producer.send(Dated, { at: '' }, {}),
    // The type of the topic is checked when the message is sent.
    producer.send(OfAnyType, { id: 'a' }, someFields),
    producer.send(OfAnyType, { id: 'a' }),
    producer.sendOneway(Steps, { step: 1 }, group),
    // @ts-expect-error a topic of type fifo requires a message group
    producer.sendOneway(Steps, { step: 1 }),
    producer.sendBatch(Steps, [{ body: { step: 1 }, ...group }]),
    // @ts-expect-error each message requires a message group
    producer.sendBatch(Steps, [{ body: { step: 1 }, ...group }, { body: { step: 2 } }]),
    // @ts-expect-error a delay is for topics of type delay
    producer.sendBatch(Plain, [{ body: { id: 'a' }, delayMs: 5 }]),
    producer.for(Steps).send({ step: 1 }, group),
    // @ts-expect-error a topic of type fifo requires a message group
    producer.for(Steps).send({ step: 1 }),
    producer.for(Plain).send({ id: 'a' }),
    // @ts-expect-error a delay is for topics of type delay
    producer.for(Plain).sendOneway({ id: 'a' }, { delayMs: 5 }),
    // @ts-expect-error not a transactional topic
    producer.for(Plain).transaction({ body: { id: 'a' } }, async () => 1),
    // @ts-expect-error not a transactional topic
    producer.transaction({ topic: Plain, body: { id: 'a' } }, async () => 1),
    // @ts-expect-error not a transactional topic
    currentTransaction().prepare({ topic: Plain, body: { id: 'a' } }),
    outboxMessage(Plain, { id: 'a' }),
    outboxMessage(Steps, { step: 1 }, group),
    // @ts-expect-error a topic of type fifo requires a message group
    outboxMessage(Steps, { step: 1 }),
    // @ts-expect-error the outbox assigns the id
    outboxMessage(Plain, { id: 'a' }, { messageId: 'a' }),
    // @ts-expect-error a transactional topic takes no sends
    outboxMessage(Dated, { at: '' }),
  ];
}

function sendsToOne(producer: RocketMQProducer, fake: FakeProducer): unknown[] {
  const plain = producer.for(Plain);
  const dated = producer.for(Dated);
  const letters = producer.for(Letters);
  return [
    plain.send({ id: 'a' }, { keys: ['a'] }),
    // @ts-expect-error the body has another type
    plain.send({ id: 7 }),
    plain.sendBatch([{ body: { id: 'a' } }]),
    // @ts-expect-error the body has another type
    plain.sendBatch([{ body: { id: 7 } }]),
    // @ts-expect-error the body has another type
    plain.sendOneway('a'),
    letters.send({ text: 'a' }),
    dated.transaction({ body: { at: '2026-01-01T00:00:00Z' } }, async ({ transactionId }) => transactionId),
    // @ts-expect-error the body has another type
    dated.transaction({ body: { at: 7 } }, async () => 1),
    // @ts-expect-error topics by name have no known bodies
    producer.for('by-name'),
    fake.sentTo(Plain)[0]?.body.id,
    // @ts-expect-error the body has no such field
    fake.sentTo(Plain)[0]?.body.name,
  ];
}

async function prepares(): Promise<void> {
  await currentTransaction().prepare({ body: { anything: true } });
  await currentTransaction().prepare({ topic: Dated, body: { at: '2026-01-01T00:00:00Z' } });
  // @ts-expect-error the body has another type
  await currentTransaction().prepare({ topic: Dated, body: { at: 7 } });
  // @ts-expect-error the body is missing
  await currentTransaction().prepare({ topic: Dated });
}

function transactionsOf<T>(topic: TopicDefinition<T, T, 'transaction'>): unknown {
  class Handling {
    @TransactionalSend(topic, { message: (body: T) => ({ body, keys: ['a'] }) })
    async handle(_body: T): Promise<void> {}
  }
  return Handling;
}

function transactions(build: (at: string) => TransactionalMessage<{ at: string }>): unknown[] {
  @Controller()
  class Service {
    @TransactionalSend(Dated, { message: (at: string) => ({ body: { at } }) })
    async fits(at: string, more: number): Promise<string> {
      return `${at} ${more}`;
    }

    @TransactionalSend(Dated, { message: async (at: string, key: string) => ({ body: { at }, keys: [key] }) })
    async several<T>(_at: string, _key: string, value: T): Promise<T> {
      return value;
    }

    @TransactionalSend(Dated)
    async prepares(): Promise<void> {}

    @TransactionalSend('by-name', { message: (id: string) => ({ body: { id } }) })
    async byName(_id: string): Promise<void> {}

    @Post()
    @TransactionalSend(Dated, { message: (at: string) => ({ body: { at } }) })
    async route(@Param('at') _at: string, @Body() _body: unknown): Promise<void> {}

    // @ts-expect-error the message is created from other arguments
    @TransactionalSend(Dated, { message: (at: string) => ({ body: { at } }) })
    async otherArguments(_at: number): Promise<void> {}

    // @ts-expect-error the message is created from more arguments than the method has
    @TransactionalSend(Dated, { message: (at: string, key: number) => ({ body: { at }, keys: [`${key}`] }) })
    async fewer(_at: string, _key: string): Promise<void> {}

    // @ts-expect-error the body has another type
    @TransactionalSend(Dated, { message: (at: number) => ({ body: { at } }) })
    async otherBody(_at: number): Promise<void> {}

    // @ts-expect-error a field of the body is missing
    @TransactionalSend(Dated, { message: (_at: string) => ({ body: {} }) })
    async partOfABody(_at: string): Promise<void> {}

    // @ts-expect-error the body can be of another type
    @TransactionalSend(Dated, { message: (at: string | number) => ({ body: { at } }) })
    async widerBody(_at: string | number): Promise<void> {}

    // @ts-expect-error a message of a transaction has no delay
    @TransactionalSend(Dated, { message: (at: string) => ({ body: { at }, delayMs: 5 }) })
    async delayed(_at: string): Promise<void> {}

    // @ts-expect-error a message of a transaction has no order
    @TransactionalSend(Dated, { message: async (at: string) => ({ body: { at }, messageGroup: at }) })
    async ordered(_at: string): Promise<void> {}

    // @ts-expect-error the decorator has the topic
    @TransactionalSend(Dated, { message: (at: string) => ({ body: { at }, topic: 'other' }) })
    async otherTopic(_at: string): Promise<void> {}

    // @ts-expect-error no such field
    @TransactionalSend(Dated, { message: (at: string) => ({ body: { at }, key: [at] }) })
    async mistyped(_at: string): Promise<void> {}

    // @ts-expect-error no such field
    @TransactionalSend('by-name', { message: async (id: string) => ({ body: { id }, key: [id] }) })
    async mistypedByName(_id: string): Promise<void> {}

    @TransactionalSend(Dated, { message: (at: string): TransactionalMessage<{ at: string }> => ({ body: { at } }) })
    async annotated(_at: string): Promise<void> {}

    @TransactionalSend(Dated, {
      message: (at: string, tag?: string) => (tag === undefined ? { body: { at } } : { body: { at }, tag }),
    })
    async eitherForm(_at: string, _tag?: string): Promise<void> {}

    @TransactionalSend(Dated, { message: async (at: string) => build(at) })
    async built(_at: string): Promise<void> {}

    @TransactionalSend(Pairs, { message: (count: number) => ({ body: { kind: 'pair', pair: ['a', count] } }) })
    async literals(_count: number): Promise<void> {}

    @TransactionalSend(Pairs, {
      message: (count: number) => ({ body: count > 0 ? { kind: 'pair', pair: ['a', count] } : { kind: 'none' } }),
    })
    async eitherBody(_count: number): Promise<void> {}

    // @ts-expect-error no such kind
    @TransactionalSend(Pairs, { message: () => ({ body: { kind: 'other' } }) })
    async otherKind(): Promise<void> {}

    // @ts-expect-error a local transaction is asynchronous
    @TransactionalSend(Dated)
    notAsync(): void {}

    // @ts-expect-error not a transactional topic
    @TransactionalSend(Plain)
    async otherType(): Promise<void> {}

    // @ts-expect-error not a transactional topic
    @TransactionChecker(Plain)
    checksOther(): undefined {}

    @TransactionChecker(Dated)
    async checks({ body }: TransactionCheck<{ at: Date }>): Promise<TransactionAnswer> {
      return body.at.getTime() > 0 ? 'commit' : 'unknown';
    }

    // @ts-expect-error the body is the output of the schema
    @TransactionChecker(Dated)
    async checksInput({ body }: TransactionCheck<{ at: string }>): Promise<TransactionAnswer> {
      return body.at === '' ? 'commit' : 'unknown';
    }

    @TransactionChecker('by-name')
    checksByName(check: TransactionCheck<{ id: string }>): TransactionAnswer {
      return check.body.id === '' ? 'rollback' : undefined;
    }

    // @ts-expect-error no such answer
    @TransactionChecker(Dated)
    answersWrongly(): boolean {
      return true;
    }
  }
  const service = new Service();
  const kept: Promise<Date> = service.several('at', 'key', new Date());
  // @ts-expect-error the method keeps its type
  const lost: Promise<string> = service.several('at', 'key', new Date());
  return [Service, kept, lost];
}

function listeners(): unknown[] {
  @Controller()
  class Forms {
    @RocketMQListener(Plain)
    none(): void {}

    @RocketMQListener(Plain)
    body({ id }: { id: string }): string {
      return id;
    }

    @RocketMQListener(Dated)
    async both({ at }: { at: Date }, { message }: RocketMQContext): Promise<string> {
      return `${at.getTime()} ${message.messageId}`;
    }

    @RocketMQListener(Dated)
    async derived({ at }: BodyOf<typeof Dated>): Promise<number> {
      return at.getTime();
    }

    @RocketMQListener(Dated)
    async derivedWrongly({ at }: BodyOf<typeof Dated>): Promise<number> {
      // @ts-expect-error it is the output of the schema
      return Date.parse(at);
    }

    @RocketMQListener(Letters)
    async instance(letter: Letter): Promise<string> {
      return letter.read();
    }

    @RocketMQListener('by-name')
    async byName(body: { anything: boolean }, _context: RocketMQContext): Promise<void> {
      if (body.anything) return;
    }

    @RocketMQListener(deadLettersOf('group'))
    async bytes(body: Buffer): Promise<number> {
      return body.length;
    }

    @RocketMQListener(Plain, { parameters: 'decorated' })
    async decorated(@Ctx() context: RocketMQContext, @Payload('id') id: string): Promise<string> {
      return `${context.messageId} ${id}`;
    }

    @RocketMQListener(Plain)
    async inPlace(@Payload() { id }: { id: string }, @Ctx() context: RocketMQContext): Promise<string> {
      return `${context.messageId} ${id}`;
    }

    @RocketMQListener(Plain, { batch: { maxSize: 10, maxWaitMs: 5 } })
    async batch(bodies: { id: string }[], context: RocketMQBatchContext): Promise<void> {
      context.fail(0, new Error(bodies[0]?.id));
    }

    @RocketMQListener(Plain, { manual: true, handlerTimeoutMs: 5, onInvalid: 'retry' })
    async manual(_body: { id: string }, context: RocketMQContext): Promise<void> {
      context.ack();
    }
  }
  return [Forms];
}

function listenersRejected(): unknown[] {
  class Wrong {
    // @ts-expect-error no such option
    @RocketMQListener(Plain, { consumergroup: 'g' })
    option(): void {}

    // @ts-expect-error numbers are not strings
    @RocketMQListener(Plain, { concurrency: '8' })
    text(): void {}

    // @ts-expect-error a batch has both sizes
    @RocketMQListener(Plain, { batch: { maxSize: 10 } })
    batch(): void {}

    // @ts-expect-error no such decision
    @RocketMQListener(Plain, { onInvalid: 'drop' })
    invalid(): void {}

    // @ts-expect-error dead letters go to a topic of type normal
    @RocketMQListener(Plain, { deadLetterTopic: Steps })
    deadLetters(): void {}

    // @ts-expect-error the body has another type
    @RocketMQListener(Plain)
    body({ id }: { id: number }): number {
      return id;
    }

    // @ts-expect-error the body is the output of the schema
    @RocketMQListener(Dated)
    input({ at }: InputOf<typeof Dated>): string {
      return at;
    }

    // @ts-expect-error the body of a topic without one is unknown
    @RocketMQListener(Untyped)
    unknown({ id }: { id: string }): string {
      return id;
    }

    // @ts-expect-error a batch listener gets an array
    @RocketMQListener(Plain, { batch: { maxSize: 10, maxWaitMs: 5 } })
    oneBody({ id }: { id: string }): string {
      return id;
    }

    // @ts-expect-error a listener of single messages gets no array
    @RocketMQListener(Plain)
    bodies([first]: { id: string }[]): string | undefined {
      return first?.id;
    }

    // @ts-expect-error a batch listener gets the context of a batch
    @RocketMQListener(Plain, { batch: { maxSize: 10, maxWaitMs: 5 } })
    singleContext(_bodies: unknown[], { message }: RocketMQContext): string {
      return message.messageId;
    }

    // @ts-expect-error a listener of single messages gets the context of one
    @RocketMQListener(Plain)
    batchContext(_body: unknown, context: RocketMQBatchContext): void {
      context.fail(0, new Error('x'));
    }

    // @ts-expect-error of a topic given by its name, the context is known
    @RocketMQListener('by-name')
    byName(_body: unknown, context: RocketMQBatchContext): void {
      context.fail(0, new Error('x'));
    }

    // @ts-expect-error there is no third parameter
    @RocketMQListener(Plain)
    third(_body: unknown, _context: RocketMQContext, _more: string): void {}

    // @ts-expect-error decorated parameters require parameters: 'decorated'
    @RocketMQListener(Plain)
    field(@Payload('id') id: string): string {
      return id;
    }

    // @ts-expect-error no such parameters
    @RocketMQListener(Plain, { parameters: 'positional' })
    parameters(): void {}
  }
  return [Wrong];
}

function delivers(app: InjectionContext): unknown[] {
  class Listener {
    readonly field = 1;

    @RocketMQListener(Plain)
    async handle(): Promise<void> {}
  }
  return [
    deliver(app, Listener, 'handle', { id: 'a' }, { attempt: 2 }),
    // @ts-expect-error no such method
    deliver(app, Listener, 'other', { id: 'a' }),
    // @ts-expect-error no method
    deliver(app, Listener, 'field', { id: 'a' }),
  ];
}

describe('the types', () => {
  it('are checked by the compiler', () => {
    const transacting = [prepares, transactions, transactionsOf];
    const all = [topics, sends, sendsByType, sendsToOne, ...transacting, listeners, listenersRejected, delivers];
    expect(inputs).toHaveLength(2);
    expect(all.every((one) => typeof one === 'function')).toBe(true);
  });
});
