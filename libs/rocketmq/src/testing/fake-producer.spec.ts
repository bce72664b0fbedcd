// A producer that sends nothing, in applications that are unaware of it.

import { afterEach, describe, expect, it } from '@jest/globals';
import { Inject, Injectable, type Provider } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { z } from 'zod';
import {
  currentTransaction,
  defineTopic,
  getRocketMQProducerToken,
  InjectRocketMQProducer,
  RocketMQListener,
  RocketMQModule,
  type RocketMQModuleOptions,
  RocketMQProducer,
  StatusError,
  TransactionalSend,
} from '../entries/nest.js';
import { silentLogger } from '../support/logger.js';
import { deliver } from './deliver.js';
import { type FakeProducer, fakeProducer } from './fake-producer.js';

const OrderPaid = defineTopic('order-paid', {
  type: 'normal',
  schema: z.object({ id: z.string(), at: z.coerce.date().default(new Date(0)) }),
});
const OrderStep = defineTopic<{ step: number }>('order-step', { type: 'fifo' });
const Reminder = defineTopic<string>('reminder', { type: 'delay' });
const Created = defineTopic<{ id: string }>('created', { type: 'transaction' });

@Injectable()
class Orders {
  constructor(private readonly producer: RocketMQProducer) {}

  pay(id: string): Promise<unknown> {
    return this.producer.send(OrderPaid, { id }, { keys: [id], tag: 'v1' });
  }

  @TransactionalSend(Created, { message: (id: string) => ({ body: { id } }) })
  async create(_id: string, mood: 'good' | 'bad' | 'changed' = 'good'): Promise<string> {
    if (mood === 'bad') throw new Error('no money');
    if (mood === 'changed') currentTransaction().rollback();
    return currentTransaction().transactionId;
  }

  @RocketMQListener(OrderStep, { consumerGroup: 'orders' })
  async step(body: { step: number }): Promise<void> {
    await this.producer.send(OrderStep, { step: body.step + 1 }, { messageGroup: 'g' });
  }
}

class Maker {
  @TransactionalSend(Created, { message: (id: string) => ({ body: { id } }) })
  async make(_id: string): Promise<void> {}
}

/** Nothing listens there. */
const NOWHERE: RocketMQModuleOptions = { endpoints: '127.0.0.1:1', logger: silentLogger };

describe('fakeProducer()', () => {
  let app: TestingModule | undefined;
  afterEach(async () => {
    await app?.close();
    app = undefined;
  });

  async function start(providers: Provider[] = [Orders]): Promise<{ fake: FakeProducer; app: TestingModule }> {
    const fake = fakeProducer();
    const transactionLog = { check: async () => 'unknown' as const };
    app = await Test.createTestingModule({
      imports: [RocketMQModule.forRoot({ ...NOWHERE, transactionLog })],
      providers,
    })
      .overrideProvider(RocketMQProducer)
      .useValue(fake)
      .compile();
    await app.init();
    return { fake, app };
  }

  it('keeps the messages, as they were passed and as they would be on the wire, in an application that does not connect', async () => {
    const { fake, app } = await start();
    await app.get(Orders).pay('a');
    expect(fake.sent).toMatchObject([{ kind: 'send', topic: 'order-paid', body: { id: 'a' }, keys: ['a'], tag: 'v1' }]);
    expect(fake.sentTo(OrderPaid)[0]?.body.id).toBe('a');
    expect(fake.sentTo('order-paid')[0]?.bytes.toString()).toBe('{"id":"a"}');
    expect(fake.sentTo(OrderStep)).toEqual([]);
    fake.reset();
    expect(fake.sent).toEqual([]);
  });

  it('rejects what the real one rejects: by schema, by type, by the limits of the server', async () => {
    const fake = fakeProducer();
    await expect(fake.send(OrderPaid, { id: 7 } as never)).rejects.toThrow(/INVALID_BODY.*order-paid.*id/);
    // @ts-expect-error a message group is required
    await expect(fake.send(OrderStep, { step: 1 })).rejects.toThrow(/MESSAGE_TYPE_MISMATCH.*give a messageGroup/);
    await expect(fake.send({ topic: 'plain', body: 'x', tag: 'a|b' })).rejects.toThrow(/ILLEGAL_MESSAGE_TAG/);
    await expect(fake.sendOneway({ topic: 'plain', body: '' })).rejects.toThrow(/MESSAGE_BODY_EMPTY/);
    const outcomes = await fake.sendBatch(OrderPaid, [{ body: { id: 'a' } }, { body: { id: 7 } as never }]);
    expect(outcomes).toMatchObject([{ status: 'sent' }, { status: 'failed', error: { code: 'INVALID_BODY' } }]);
    expect(fake.sent.map(({ kind, body }) => [kind, body])).toEqual([['batch', { id: 'a' }]]);
  });

  it('cannot send requests', async () => {
    await expect(fakeProducer().request('prices', 1)).rejects.toThrow(/NO_REQUESTER/);
  });

  it('fails when a test requests it', async () => {
    const fake = fakeProducer();
    fake.failNext();
    fake.failNext({ topic: OrderStep, times: 2, error: new StatusError('send', undefined) });
    await expect(fake.send(OrderPaid, { id: 'a' })).rejects.toMatchObject({ code: 'UNAVAILABLE', outcome: 'not-sent' });
    await fake.send(OrderPaid, { id: 'a' });
    const steps = [1, 2, 3].map((step) => ({ body: { step }, messageGroup: String(step) }));
    const outcomes = await fake.for(OrderStep).sendBatch(steps);
    expect(outcomes.map(({ status }) => status)).toEqual(['failed', 'failed', 'sent']);
    expect(fake.sent.map(({ body }) => body)).toEqual([{ id: 'a' }, { step: 3 }]);
  });

  it('rejects a failure that could never apply', () => {
    const fake = fakeProducer();
    const rejected = (failure: unknown) => expect(() => fake.failNext(failure as never));
    rejected({ times: Number.NaN }).toThrow('[ILLEGAL_OPTION] failNext: option times must be an integer of at least 1');
    rejected({ topik: 'orders' }).toThrow('[ILLEGAL_OPTION] failNext: option topik');
    rejected({ error: 'no' }).toThrow('[ILLEGAL_OPTION] failNext: option error must be an Error, not "no"');
    rejected({ times: Number.POSITIVE_INFINITY }).not.toThrow();
  });

  it('recalls delayed messages', async () => {
    const fake = fakeProducer();
    const receipt = await fake.send(Reminder, 'wake up', { delayMs: 1_000 });
    await fake.recall(receipt);
    expect(fake.sent).toMatchObject([{ delayMs: 1_000, isRecalled: true }]);
    await expect(fake.recall({ topic: 'reminder', recallHandle: 'other' })).rejects.toThrow(/RECALL_FAILED/);
  });

  it('runs methods with @TransactionalSend: a return commits, a throw and rollback() do not', async () => {
    const { fake, app } = await start([Orders, { provide: 'MADE', useFactory: () => new Maker() }]);
    expect(await app.get(Orders).create('a')).toMatch(/^fake-/);
    await expect(app.get(Orders).create('b', 'bad')).rejects.toThrow('no money');
    await app.get(Orders).create('c', 'changed');
    await app.get<Maker>('MADE').make('d');
    expect(fake.sentTo(Created).map(({ kind, body }) => [kind, body.id])).toEqual([
      ['transaction', 'a'],
      ['transaction', 'd'],
    ]);
    fake.failNext();
    await expect(app.get(Orders).create('e')).rejects.toThrow(/UNAVAILABLE/);
    await fake.transaction({ topic: Created, body: { id: 'f' } }, async () => {});
    expect(fake.sentTo(Created).map(({ body }) => body.id)).toEqual(['a', 'd', 'f']);
  });

  it('records what listeners send, which receive their messages by deliver()', async () => {
    const { fake, app } = await start();
    expect(await deliver(app, Orders, 'step', { step: 1 })).toEqual({ outcome: 'acked' });
    expect(fake.sentTo(OrderStep)).toMatchObject([{ body: { step: 2 }, messageGroup: 'g' }]);
  });

  it('replaces the producer of a connection with a name, too', async () => {
    @Injectable()
    class Reports {
      constructor(
        @InjectRocketMQProducer('eu') readonly eu: RocketMQProducer,
        @Inject(RocketMQProducer) readonly own: RocketMQProducer,
      ) {}
    }
    const [eu, own] = [fakeProducer(), fakeProducer()];
    app = await Test.createTestingModule({
      imports: [RocketMQModule.forRoot({ ...NOWHERE, name: 'eu' }), RocketMQModule.forRoot(NOWHERE)],
      providers: [Reports],
    })
      .overrideProvider(getRocketMQProducerToken('eu'))
      .useValue(eu)
      .overrideProvider(getRocketMQProducerToken())
      .useValue(own)
      .compile();
    await app.init();
    const reports = app.get(Reports);
    expect([reports.eu, reports.own]).toEqual([eu, own]);
    expect([reports.eu === eu, reports.own === own]).toEqual([true, true]);
  });
});
