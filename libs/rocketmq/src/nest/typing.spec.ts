// What the compiler refuses. The functions are never called; `npm run typecheck` is what tests them.

import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import {
  currentTransaction,
  defineTopic,
  type RocketMQProducer,
  type TransactionAnswer,
  TransactionalSend,
  type TransactionCheck,
  TransactionChecker,
} from '../index.js';

const Dated = defineTopic('dated', {
  type: 'transaction',
  schema: z.object({ at: z.iso.datetime().transform((text) => new Date(text)) }),
});
const Plain = defineTopic<{ id: string }>('plain', { type: 'normal' });

function sends(producer: RocketMQProducer): unknown[] {
  return [
    producer.send(Plain, { id: 'a' }),
    // @ts-expect-error the body has another type
    producer.send(Plain, { id: 7 }),
    producer.transaction({ topic: Dated, body: { at: '2026-01-01T00:00:00Z' } }, async () => 1),
    // @ts-expect-error the sender gives what the schema takes in, not what comes out of it
    producer.transaction({ topic: Dated, body: { at: new Date() } }, async () => 1),
    producer.transaction({ topic: 'by-name', body: 7 }, async () => 1),
  ];
}

async function prepares(): Promise<void> {
  await currentTransaction().prepare({ body: { anything: true } });
  await currentTransaction().prepare({ topic: Dated, body: { at: '2026-01-01T00:00:00Z' } });
  // @ts-expect-error the body has another type
  await currentTransaction().prepare({ topic: Dated, body: { at: 7 } });
}

function decorators(): unknown[] {
  class Service {
    @TransactionalSend(Dated, { message: (at: string) => ({ body: { at } }) })
    async fits(at: string, more: number): Promise<string> {
      return `${at} ${more}`;
    }

    @TransactionalSend(Dated)
    async prepares(): Promise<void> {}

    @TransactionalSend('by-name', { message: (id: string) => ({ body: { id } }) })
    async byName(_id: string): Promise<void> {}

    // @ts-expect-error the message is made from other arguments
    @TransactionalSend(Dated, { message: (at: string) => ({ body: { at } }) })
    async otherArguments(_at: number): Promise<void> {}

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
  return [Service];
}

describe('the types', () => {
  it('are checked by the compiler', () => {
    expect([sends, prepares, decorators].every((one) => typeof one === 'function')).toBe(true);
  });
});
