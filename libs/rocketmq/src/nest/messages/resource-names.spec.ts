import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { NestBench } from '../../../../../test/fixtures/nest-bench.js';
import {
  currentTransaction,
  DeadLetterError,
  deadLettersOf,
  defineTopic,
  type RocketMQContext,
  RocketMQListener,
  RocketMQProducer,
  TransactionalSend,
} from '../../entries/nest.js';
import { checkOptions } from '../runtime/module-options.js';
import { resourceNames } from './resource-names.js';

describe('the names on the cluster', () => {
  let bench: NestBench | undefined;
  afterEach(() => bench?.close());

  it('are those of the code with a prefix, unless a topic is resolved', () => {
    const names = resourceNames({
      topicPrefix: 'staging-',
      groupPrefix: 'blue-',
      resolveTopic: (topic) => (topic === 'shared' ? 'company-shared' : undefined),
    });
    expect(['orders', 'shared', '%DLQ%stock'].map(names.topic)).toEqual([
      'staging-orders',
      'company-shared',
      '%DLQ%blue-stock',
    ]);
    expect(names.group('stock')).toBe('blue-stock');
    expect(resourceNames({}).topic('orders')).toBe('orders');
  });

  it('are used by listeners, sends, batches, transactions, dead letters and checks alike', async () => {
    const Paid = defineTopic<{ id: number }>('paid', { type: 'transaction' });
    const seen: string[] = [];
    @Injectable()
    class Orders {
      @RocketMQListener('orders', { deadLetterTopic: 'graves' })
      async handle(body: number, { topic, consumerGroup }: RocketMQContext): Promise<void> {
        seen.push(`${topic} ${consumerGroup} ${body}`);
        if (body < 0) throw new DeadLetterError('negative');
      }

      @RocketMQListener(Paid, { consumerGroup: 'other' })
      async paid({ id }: { id: number }, { topic }: RocketMQContext): Promise<void> {
        seen.push(`${topic} ${id}`);
        throw new DeadLetterError();
      }

      @RocketMQListener(deadLettersOf('other'), { consumerGroup: 'graveyard' })
      async bury(body: Buffer): Promise<void> {
        seen.push(`buried ${body}`);
      }

      @TransactionalSend(Paid, { message: (id: number) => ({ body: { id } }) })
      async pay(id: number): Promise<number> {
        return id;
      }

      @TransactionalSend(Paid)
      async payLater(id: number): Promise<void> {
        await currentTransaction().prepare({ topic: Paid, body: { id } });
      }
    }
    bench = await NestBench.open({ groups: [], topics: [] });
    bench.broker.declareTopic({ name: '%DLQ%g-other', queues: 1 });
    const app = await bench.start({
      providers: [Orders],
      options: {
        consumerGroup: 'shop',
        topicPrefix: 't-',
        groupPrefix: 'g-',
        transactionLog: { check: async () => 'unknown' },
        topics: [defineTopic('graves', { type: 'normal' })],
      },
    });
    const producer = app.get(RocketMQProducer);
    await producer.send({ topic: 'orders', body: 1 });
    await producer.sendBatch([{ topic: 'orders', body: -2 }]);
    await app.get(Orders).pay(3);
    await app.get(Orders).payLater(4);
    await bench.broker.idle();
    expect(seen.sort()).toEqual([
      'buried {"id":3}',
      'buried {"id":4}',
      't-orders g-shop -2',
      't-orders g-shop 1',
      't-paid 3',
      't-paid 4',
    ]);
    expect(bench.broker.messages('t-graves').map(({ body }) => body.toString())).toEqual(['-2']);
  });

  it.each<[unknown, string]>([
    ['a b!', '"a b!" for topic "orders"; the name may contain only letters'],
    ['', '"" for topic "orders"; the name is blank'],
    ['TBW102', '"TBW102" for topic "orders"; the name is a system topic'],
    [5, '5 for topic "orders"; the name must be a string, not 5'],
    [null, 'null for topic "orders"; the name must be a string, not null'],
    [Promise.resolve('x'), 'an object for topic "orders"; the name must be a string'],
  ])('fail the startup when resolveTopic returns %p', async (resolved, problem) => {
    const topics = [defineTopic('orders', { type: 'normal' })];
    const options = { endpoints: '127.0.0.1:9', topics, resolveTopic: () => resolved as string };
    const opened = await NestBench.open({ topics: [{ name: 'orders', type: 'normal' }] });
    bench = opened;
    await expect(opened.start({ options })).rejects.toMatchObject({
      code: 'ILLEGAL_OPTION',
      field: 'resolveTopic',
      message: expect.stringContaining(`RocketMQModule: option resolveTopic returned ${problem}`),
    });
  });

  it('are rejected where a prefix leads to a name that no server accepts', () => {
    const check = (options: object) => () => checkOptions({ endpoints: 'embedded:', ...options });
    expect(check({ topicPrefix: 'a b!' })).toThrow('option topicPrefix "a b!" may contain only letters');
    expect(check({ groupPrefix: 'a b!' })).toThrow('option groupPrefix "a b!" may contain only letters');
    expect(check({ topicPrefix: '', groupPrefix: '' })).not.toThrow();
    const long = 'x'.repeat(100);
    expect(() => resourceNames({ topicPrefix: long }).topic(long)).toThrow(
      /option topicPrefix leads to "x+" for topic "x+"; the name is longer than 127 characters/,
    );
  });

  it('are rejected unless they are strings', () => {
    const check = (options: object) => () => checkOptions({ endpoints: 'embedded:', ...options } as never);
    expect(check({ topicPrefix: 7 })).toThrow('option topicPrefix must be a string');
    expect(check({ resolveTopic: 'x' })).toThrow('option resolveTopic must be a function');
    expect(check({ unknownListeners: 'warn' })).toThrow('option unknownListeners must be error or ignore');
    expect(check({ defaults: { concurrency: '3' } })).toThrow('option defaults: option concurrency must be');
    expect(check({ listeners: { 'Orders.a': { conc: 3 } } })).toThrow(
      'option listeners["Orders.a"]: option conc is unknown',
    );
  });
});
