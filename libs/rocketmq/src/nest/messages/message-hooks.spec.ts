// What an application does to its messages when they are sent and received: here it encrypts them.

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable, Module, type Provider } from '@nestjs/common';
import { NestBench } from '../../../../../test/fixtures/nest-bench.js';
import {
  DeadLetterError,
  defineTopic,
  type IncomingHookContext,
  type MessageHook,
  type MessageView,
  type OutgoingHookContext,
  type OutgoingMessage,
  type RocketMQBatchContext,
  type RocketMQContext,
  RocketMQListener,
  RocketMQProducer,
  type TransactionAnswer,
  TransactionalSend,
  type TransactionCheck,
  TransactionChecker,
} from '../../entries/nest.js';
import { bodyBytes } from '../../protocol/model/message.js';
import { MessageHooks } from './message-hooks.js';

@Injectable()
class Keys {
  readonly key = randomBytes(32);
}

/** Authenticated encryption; the nonce and the tag precede the text. */
@Injectable()
class Encryption implements MessageHook {
  constructor(private readonly keys: Keys) {}

  outgoing(message: OutgoingMessage): OutgoingMessage {
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.keys.key, nonce);
    const text = Buffer.concat([cipher.update(bodyBytes(message.body)), cipher.final()]);
    const body = Buffer.concat([nonce, cipher.getAuthTag(), text]);
    return { ...message, body, properties: { ...message.properties, encrypted: 'gcm' } };
  }

  async incoming(message: MessageView): Promise<MessageView> {
    if (message.properties.encrypted !== 'gcm') return message;
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.keys.key, message.body.subarray(0, 12));
      decipher.setAuthTag(message.body.subarray(12, 28));
      return { ...message, body: Buffer.concat([decipher.update(message.body.subarray(28)), decipher.final()]) };
    } catch {
      throw new DeadLetterError('not encrypted with our key');
    }
  }
}

@Module({ providers: [Keys, Encryption], exports: [Encryption] })
class EncryptionModule {}

const Paid = defineTopic<{ card: string }>('paid', { type: 'normal' });
const Booked = defineTopic<{ seat: string }>('booked', { type: 'transaction' });

let bench: NestBench;
beforeAll(async () => {
  bench = await NestBench.open();
});
afterEach(() => bench.closeApps());
afterAll(() => bench.close());

async function start(providers: Provider[], hooks: readonly (MessageHook | typeof Encryption)[]) {
  return bench.start({ imports: [EncryptionModule], providers, options: { hooks, consumerGroup: 'hooks' } });
}

describe('hooks', () => {
  it('encrypt every body and decrypt it for every handler', async () => {
    const got: unknown[] = [];
    class Listener {
      @RocketMQListener(Paid)
      async one(body: { card: string }, { message }: RocketMQContext): Promise<void> {
        got.push([body, message.body.toString()]);
      }

      @RocketMQListener(Paid, { consumerGroup: 'batches', batch: { maxSize: 2, maxWaitMs: 5 } })
      async many(bodies: { card: string }[], context: RocketMQBatchContext): Promise<void> {
        for (const [index, { card }] of bodies.entries()) {
          if (card === 'bad') context.fail(context.messages[index] as MessageView, new DeadLetterError('bad'));
          expect(context.signalOf(context.messages[index] as MessageView).aborted).toBe(false);
          got.push(card);
        }
      }

      @TransactionalSend(Booked, { message: (seat: string) => ({ body: { seat } }) })
      async book(_seat: string): Promise<void> {
        throw new Error('who knows');
      }

      @TransactionChecker(Booked)
      check({ body, message }: TransactionCheck<{ seat: string }>): TransactionAnswer {
        got.push([body, message.body.toString()]);
        return 'commit';
      }
    }
    const app = await start([Listener], [Encryption]);
    const producer = app.get(RocketMQProducer);
    await producer.send(Paid, { card: 'visa' });
    await producer.sendBatch(Paid, [{ body: { card: 'bad' } }]);
    await producer.sendOneway({ topic: 'paid', body: '{"card":"by name"}' });
    await expect(app.get(Listener).book('12A')).rejects.toThrow('who knows');
    await bench.broker.idle();
    const wire = [...bench.broker.messages('paid'), ...bench.broker.messages('booked')];
    expect(wire).toHaveLength(4);
    for (const { body, properties } of wire) {
      expect(properties.encrypted).toBe('gcm');
      expect(/card|seat/.test(body.toString('latin1'))).toBe(false);
    }
    expect(got).toEqual(
      expect.arrayContaining([
        ...[{ card: 'visa' }, { card: 'bad' }, { card: 'by name' }].map((body) => [body, JSON.stringify(body)]),
        'visa',
        'bad',
        'by name',
        [{ seat: '12A' }, '{"seat":"12A"}'],
      ]),
    );
    expect(got).toHaveLength(7);
    expect(bench.deadLetters('batches')).toHaveLength(1);
  });

  it('dead-letter what they cannot decrypt, and forward dead letters as they were received', async () => {
    class Listener {
      @RocketMQListener('forged', { deadLetterTopic: 'graveyard' })
      async handle(): Promise<void> {}
    }
    const app = await start([Listener], [Encryption]);
    const { connection } = { connection: app.get(RocketMQProducer) };
    await connection.send({ topic: 'forged', body: 'genuine' });
    const forged = { topic: 'forged', body: Buffer.alloc(40), properties: { encrypted: 'gcm' } };
    const plain = await bench.start({ options: { consumers: false } });
    await plain.get(RocketMQProducer).send(forged);
    await bench.broker.idle();
    const [first, second] = bench.broker.messages('graveyard');
    expect([first, second].map((one) => one?.properties.errorMessage)).toEqual(
      expect.arrayContaining(['not encrypted with our key']),
    );
    expect([first, second].some((one) => one?.body.equals(Buffer.alloc(40)))).toBe(true);
  });

  it('are nested, the first outermost, and see the body as it was passed', async () => {
    const order: string[] = [];
    const hook = (name: string): MessageHook => ({
      outgoing: (message: OutgoingMessage, { body }: OutgoingHookContext) => {
        order.push(`${name} out ${JSON.stringify(body)}`);
        return { ...message, properties: { ...message.properties, [name]: 'yes' } };
      },
      incoming: (message: MessageView, { consumerGroup }: IncomingHookContext) => {
        order.push(`${name} in ${consumerGroup}`);
        return message;
      },
    });
    class Listener {
      @RocketMQListener('ordered')
      async handle(_body: unknown, { message }: RocketMQContext): Promise<void> {
        order.push(Object.keys(message.properties).join());
      }
    }
    const app = await start([Listener], [hook('a'), hook('b')]);
    await bench.send(app, 'ordered', { x: 1 });
    expect(order).toEqual(['b out {"x":1}', 'a out {"x":1}', 'a in hooks', 'b in hooks', 'b,a']);
  });

  it('take no time unless one of them returns a promise', async () => {
    const received = { topic: 'plain', properties: {} } as unknown as MessageView;
    const named = (name: string, message: MessageView): MessageView => ({
      ...message,
      properties: { ...message.properties, [name]: 'yes' },
    });
    const incoming = (...given: MessageHook[]) => {
      const hooks = new MessageHooks(given, () => ({}));
      return hooks.incoming(received, { consumerGroup: 'hooks' });
    };
    const one: MessageHook = { incoming: (message) => named('one', message) };
    const late: MessageHook = { incoming: async (message) => named('late', message) };
    expect(incoming()).toBe(received);
    expect(incoming(one, { outgoing: (message) => message })).toMatchObject({ properties: { one: 'yes' } });
    const waiting = incoming(late, one);
    expect(waiting).toBeInstanceOf(Promise);
    expect(Object.keys((await waiting).properties)).toEqual(['late', 'one']);
  });

  it('cannot move a message, and prevent the send when they throw', async () => {
    const moving: MessageHook = { outgoing: (message) => ({ ...message, topic: 'elsewhere' }) };
    const app = await start([], [moving]);
    await expect(app.get(RocketMQProducer).send({ topic: 'plain', body: 'x' })).rejects.toThrow(
      /HOOK_MOVED_MESSAGE.*"plain".*changed topic/,
    );
    await bench.closeApps();
    const failing: MessageHook = {
      outgoing: () => {
        throw new Error('no key');
      },
    };
    const other = await start([], [failing]);
    await expect(other.get(RocketMQProducer).send({ topic: 'plain', body: 'x' })).rejects.toThrow('no key');
    expect(bench.broker.messages('plain')).toEqual([]);
  });

  it('fail the startup when no module provides their class, or when they are not hooks', async () => {
    class Nowhere implements MessageHook {}
    await expect(bench.start({ options: { hooks: [Nowhere] } })).rejects.toThrow(/NO_SUCH_HOOK.*Nowhere/);
    await expect(bench.start({ options: { hooks: ['x'] as never } })).rejects.toThrow(
      /option hooks\[0\] must be an object/,
    );
  });

  it('fail the startup when they would change no message', async () => {
    const wrong = (hooks: unknown) => expect(bench.start({ options: { hooks } as never })).rejects;
    const neither = 'has neither outgoing nor incoming, so it would change no message';
    await wrong([{}]).toThrow(`RocketMQModule: option hooks[0] ${neither}`);
    await wrong([{ outgoing() {} }, { incomming() {} }]).toThrow(
      'option hooks[1].incomming is unknown; the options are outgoing, incoming',
    );
    await wrong([{ outgoing: 'x' }]).toThrow('option hooks[0].outgoing must be a function, not "x"');
    await wrong({ outgoing() {} }).toThrow('option hooks must be a list of objects with outgoing and incoming');
    @Injectable()
    class Mistyped {
      incomming(): void {}
    }
    await expect(bench.start({ providers: [Mistyped], options: { hooks: [Mistyped as never] } })).rejects.toThrow(
      `option hooks contains the class Mistyped, whose instance ${neither}`,
    );
  });
});
