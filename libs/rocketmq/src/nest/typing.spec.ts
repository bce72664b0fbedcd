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
  type RocketMQBatchContext,
  type RocketMQContext,
  RocketMQListener,
  type RocketMQProducer,
  type TransactionAnswer,
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

function transactions(): unknown[] {
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

    // @ts-expect-error a local transaction is asynchronous
    @TransactionalSend(Dated)
    notAsync(): void {}

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

    @RocketMQListener(Plain)
    async decorated(@Ctx() context: RocketMQContext, @Payload('id') id: string): Promise<string> {
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

function listenersRefused(): unknown[] {
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
    const all = [topics, sends, sendsToOne, prepares, transactions, listeners, listenersRefused, delivers];
    expect(inputs).toHaveLength(2);
    expect(all.every((one) => typeof one === 'function')).toBe(true);
  });
});
