// Transactional methods and their checks, against the embedded broker over the wire.

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Inject, Injectable, type Provider, Scope, SetMetadata } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import { z } from 'zod';
import { closeApp } from '../../../../test/fixtures/close-app.js';
import { Connection } from '../client/connection.js';
import {
  currentTransaction,
  defineTopic,
  RocketMQListener,
  RocketMQModule,
  type RocketMQModuleOptions,
  RocketMQProducer,
  type TransactionAnswer,
  TransactionalSend,
  type TransactionCheck,
  TransactionChecker,
} from '../entries/nest.js';
import { Producer } from '../producer/producer.js';
import { silentLogger } from '../support/logger.js';
import { TestBroker } from '../testing/test-broker.js';

const Created = defineTopic('created', { type: 'transaction', schema: z.object({ id: z.string() }) });
const Result = defineTopic<{ ok: boolean }>('result', { type: 'transaction' });

let broker: TestBroker;
let endApp = async (): Promise<void> => {};

beforeAll(async () => {
  broker = await TestBroker.start({ manualClock: true });
});

afterEach(async () => {
  await endApp();
  endApp = async () => {};
});

afterAll(async () => {
  await broker.stop();
});

/** A transaction log with a given answer that records the checks. */
class FakeLog {
  answer: 'commit' | 'rollback' | 'unknown' = 'unknown';
  readonly asked: string[] = [];

  async check({ topic, transactionId }: { topic: string; transactionId: string }) {
    this.asked.push(`${topic} ${transactionId}`);
    return this.answer;
  }
}

async function start(providers: Provider[], options: Partial<RocketMQModuleOptions> = {}): Promise<TestingModule> {
  const { endpoints, clock } = broker;
  const app = await Test.createTestingModule({
    imports: [RocketMQModule.forRoot({ endpoints, clock, consumerGroup: 'service', logger: silentLogger, ...options })],
    providers,
  }).compile();
  endApp = () => closeApp(app);
  await app.init();
  return app;
}

/** The messages that became visible on a topic since the last call. */
const seenIds = new Set<string>();
async function newMessages(topic: string) {
  await broker.idle();
  const news = broker.messages(topic).filter(({ messageId }) => !seenIds.has(messageId));
  for (const { messageId } of news) seenIds.add(messageId);
  return news.map(({ body, tag, keys }) => ({ body: body.toString(), tag, keys }));
}

@Injectable()
class OrderService {
  halvesSeen: number[] = [];

  @TransactionalSend(Created, {
    message: (id: string) => ({ body: { id }, tag: 'v1', keys: [id], properties: { by: 'test' } }),
  })
  async create(id: string, fail = false): Promise<string> {
    this.halvesSeen.push(broker.halfMessages().length);
    if (fail) throw new Error('no money');
    return `${id}:${currentTransaction().transactionId === '' ? 'none' : 'has id'}`;
  }

  @TransactionalSend(Created, { message: (more: object) => ({ body: { id: 'more' }, ...more }) })
  async createWith(_more: object): Promise<void> {
    this.halvesSeen.push(broker.halfMessages().length);
  }

  async createTwo(): Promise<string[]> {
    return [await this.create('one'), await this.create('two')];
  }

  @TransactionalSend(Result)
  async decide(answer: 'ok' | 'not ok' | 'silent' | 'rolled back'): Promise<void> {
    if (answer === 'silent') return;
    await currentTransaction().prepare({ body: { ok: answer === 'ok' }, tag: answer === 'ok' ? 'good' : 'bad' });
    if (answer === 'rolled back') currentTransaction().rollback();
  }

  @TransactionalSend(Created)
  async run(work: () => Promise<void>): Promise<void> {
    await work();
  }

  @TransactionalSend(Created)
  async wrongTopic(): Promise<void> {
    await currentTransaction().prepare({ topic: Result, body: { ok: true } });
  }

  @TransactionalSend(Created)
  async wrongBody(): Promise<void> {
    await currentTransaction().prepare({ body: { id: 7 } });
  }
}

describe('a transactional topic', () => {
  it.each(['__proto__', 'constructor', 'toString'])('can be named %s: its checks are answered', async (name) => {
    const topic = defineTopic<{ id: string }>(name, { type: 'transaction' });
    @Injectable()
    class Service {
      @TransactionalSend(topic, { message: () => ({ body: { id: 'kept' } }) })
      async create(): Promise<void> {
        throw new Error('the answer of the database was lost');
      }
    }
    const log = new FakeLog();
    log.answer = 'commit';
    const app = await start([Service], { transactionLog: log });
    await expect(app.get(Service).create()).rejects.toThrow('was lost');
    expect(await newMessages(name)).toMatchObject([{ body: '{"id":"kept"}' }]);
    expect(log.asked).toHaveLength(1);
  });
});

describe('a method with @TransactionalSend', () => {
  it('sends the half message before the method runs and commits it after its return', async () => {
    const app = await start([OrderService], { transactionLog: new FakeLog() });
    const service = app.get(OrderService);
    expect(await service.create('a')).toBe('a:has id');
    expect(service.halvesSeen).toEqual([1]);
    expect(await newMessages('created')).toEqual([{ body: '{"id":"a"}', tag: 'v1', keys: ['a'] }]);
    expect(broker.halfMessages()).toEqual([]);
  });

  it('works when the class calls it itself', async () => {
    const app = await start([OrderService], { transactionLog: new FakeLog() });
    await app.get(OrderService).createTwo();
    expect((await newMessages('created')).map(({ body }) => body).sort()).toEqual(['{"id":"one"}', '{"id":"two"}']);
  });

  it('creates its message while it runs by prepare()', async () => {
    const app = await start([OrderService], { transactionLog: new FakeLog() });
    const service = app.get(OrderService);
    await service.decide('not ok');
    expect(await newMessages('result')).toEqual([{ body: '{"ok":false}', tag: 'bad', keys: [] }]);
  });

  it('sends nothing when it prepares nothing, or calls rollback()', async () => {
    const app = await start([OrderService], { transactionLog: new FakeLog() });
    const service = app.get(OrderService);
    await service.decide('silent');
    await service.decide('rolled back');
    expect(await newMessages('result')).toEqual([]);
    expect(broker.halfMessages()).toEqual([]);
  });

  it('rejects a message for another topic than the decorator names, and a body that does not fit', async () => {
    const app = await start([OrderService], { transactionLog: new FakeLog() });
    const service = app.get(OrderService);
    await expect(service.wrongTopic()).rejects.toThrow(/OTHER_TOPIC.*"result".*"created"/);
    await expect(service.wrongBody()).rejects.toThrow(/INVALID_BODY.*"created".*id/);
    await expect(service.create(7 as unknown as string)).rejects.toThrow(/ILLEGAL_MESSAGE_KEY.*"created": keys/);
    expect(service.halvesSeen).toEqual([]);
  });

  it('rejects a message with a field that a transaction cannot have, before anything is sent', async () => {
    const app = await start([OrderService], { transactionLog: new FakeLog() });
    const service = app.get(OrderService);
    for (const field of [
      'delayMs',
      'deliverAt',
      'messageGroup',
      'priority',
      'liteTopic',
      'messageId',
      'topic',
      'key',
    ]) {
      const rejected = { code: 'MESSAGE_TYPE_MISMATCH', field, outcome: 'not-sent' };
      await expect(service.createWith({ [field]: 'x' })).rejects.toMatchObject(rejected);
    }
    await service.createWith({ delayMs: undefined, topic: undefined });
    expect(service.halvesSeen).toEqual([1]);
    expect(await newMessages('created')).toHaveLength(1);
  });

  it('asks the transaction log when it throws, ends as the log answers, and rethrows', async () => {
    const log = new FakeLog();
    const app = await start([OrderService], { transactionLog: log });
    const service = app.get(OrderService);
    log.answer = 'rollback';
    await expect(service.create('a', true)).rejects.toThrow('no money');
    expect(broker.halfMessages()).toEqual([]);
    log.answer = 'commit';
    await expect(service.create('b', true)).rejects.toThrow('no money');
    expect((await newMessages('created')).map(({ body }) => body)).toEqual(['{"id":"b"}']);
    log.answer = 'unknown';
    await expect(service.create('c', true)).rejects.toThrow('no money');
    expect(broker.halfMessages()).toHaveLength(1);
    log.answer = 'commit';
    await broker.advance(60_000);
    expect((await newMessages('created')).map(({ body }) => body)).toEqual(['{"id":"c"}']);
    expect(log.asked.every((asked) => asked.startsWith('created '))).toBe(true);
  });

  it('keeps its name, its length and the metadata of other decorators', () => {
    const Mark = SetMetadata('mark', 'below');
    class Marked {
      @SetMetadata('other', 'above')
      @TransactionalSend(Created, { message: (id: string) => ({ body: { id } }) })
      @Mark
      async method(_id: string): Promise<void> {}
    }
    const { method } = Marked.prototype;
    expect([method.name, method.length]).toEqual(['method', 1]);
    expect([Reflect.getMetadata('mark', method), Reflect.getMetadata('other', method)]).toEqual(['below', 'above']);
  });

  it('rejects a call when its instance does not belong to an application with the module', async () => {
    await expect(new OrderService().create('a')).rejects.toThrow(/NO_MODULE.*OrderService\.create/);
  });

  it('works in request-scoped providers and in instances from factories', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Scoped extends OrderService {
      @Inject(REQUEST) readonly request: unknown;
    }
    const providers: Provider[] = [Scoped, { provide: 'MADE', useFactory: () => new OrderService() }];
    const app = await start(providers, { transactionLog: new FakeLog() });
    await (await app.resolve(Scoped)).create('scoped');
    await app.get<OrderService>('MADE').create('made');
    expect((await newMessages('created')).map(({ body }) => body).sort()).toEqual(['{"id":"made"}', '{"id":"scoped"}']);
  });

  it('can be a listener, too, in either order of the decorators', async () => {
    @Injectable()
    class Both {
      @RocketMQListener('above', { consumerGroup: 'above' })
      @TransactionalSend(Result)
      async above(): Promise<void> {
        await currentTransaction().prepare({ body: { ok: true }, tag: 'above' });
      }

      @TransactionalSend(Result)
      @RocketMQListener('below', { consumerGroup: 'below' })
      async below(): Promise<void> {
        await currentTransaction().prepare({ body: { ok: true }, tag: 'below' });
      }
    }
    const app = await start([Both], { transactionLog: new FakeLog() });
    const producer = app.get(RocketMQProducer);
    await producer.send({ topic: 'above', body: '1' });
    await producer.send({ topic: 'below', body: '1' });
    expect((await newMessages('result')).map(({ tag }) => tag).sort()).toEqual(['above', 'below']);
  });
});

describe('@TransactionChecker', () => {
  it('answers with the decoded body, before the log', async () => {
    const checks: TransactionCheck<{ id: string }>[] = [];
    @Injectable()
    class Checker {
      @TransactionChecker(Created)
      async check(check: TransactionCheck<{ id: string }>): Promise<TransactionAnswer> {
        checks.push(check);
        return 'commit';
      }
    }
    const log = new FakeLog();
    const app = await start([OrderService, Checker], { transactionLog: log });
    await expect(app.get(OrderService).create('a', true)).rejects.toThrow('no money');
    expect(checks).toMatchObject([{ topic: 'created', body: { id: 'a' } }]);
    expect(log.asked).toEqual([]);
    expect(await newMessages('created')).toHaveLength(1);
  });

  it('is created for each check when it is request-scoped', async () => {
    const instances = new Set<unknown>();
    @Injectable({ scope: Scope.REQUEST })
    class Checker {
      @TransactionChecker(Created)
      check(): TransactionAnswer {
        instances.add(this);
        return 'rollback';
      }
    }
    const app = await start([OrderService, Checker], { transactionLog: new FakeLog() });
    await expect(app.get(OrderService).create('a', true)).rejects.toThrow('no money');
    await expect(app.get(OrderService).create('b', true)).rejects.toThrow('no money');
    expect(instances.size).toBe(2);
    expect(await newMessages('created')).toEqual([]);
  });

  it('is rejected a second time for one topic, naming both', async () => {
    @Injectable()
    class One {
      @TransactionChecker('created')
      one(): TransactionAnswer {
        return undefined;
      }
    }
    @Injectable()
    class Two {
      @TransactionChecker('created')
      two(): TransactionAnswer {
        return undefined;
      }
    }
    await expect(start([One, Two])).rejects.toThrow(/TWO_TRANSACTION_CHECKERS.*One\.one and Two\.two.*"created"/);
  });
});

describe('a transactional topic without a checker', () => {
  it('fails the startup, naming the method and what to do', async () => {
    await expect(start([OrderService])).rejects.toThrow(
      /NO_TRANSACTION_CHECKER.*OrderService\.create.*"created".*transactionLog.*@TransactionChecker\('created'\)/,
    );
  });

  it('fails the startup when the option topics names it', async () => {
    await expect(start([], { topics: [Created] })).rejects.toThrow(/NO_TRANSACTION_CHECKER.*option topics.*"created"/);
  });

  it('fails the startup when the topic is of another type', async () => {
    @Injectable()
    class Wrong {
      // @ts-expect-error a topic of another type
      @TransactionalSend(defineTopic('normal-topic', { type: 'normal' }))
      async method(): Promise<void> {}
    }
    await expect(start([Wrong], { transactionLog: new FakeLog() })).rejects.toThrow(
      /MESSAGE_TYPE_MISMATCH.*Wrong\.method.*"normal-topic".*'transaction'/,
    );
  });
});

describe('a transaction of the client', () => {
  it('accepts bodies, too, as JSON', async () => {
    const connection = new Connection({ endpoints: broker.endpoints, clock: broker.clock });
    const producer = new Producer(connection, { transactionCheckers: { created: () => 'unknown' } });
    try {
      await producer.transact({}, () => currentTransaction().prepare({ topic: 'created', body: { id: 'client' } }));
      expect((await newMessages('created')).map(({ body }) => body)).toEqual(['{"id":"client"}']);
    } finally {
      await producer.close();
      connection.close();
    }
  });
});

describe('transactions without a decorator', () => {
  it('run by transaction(), which passes the transaction to the work', async () => {
    const app = await start([], { transactionLog: new FakeLog(), topics: [Created, Result] });
    const producer = app.get(RocketMQProducer);
    const done = await producer.transaction({ topic: Created, body: { id: 'x' }, keys: ['k'] }, async (transaction) => {
      expect(currentTransaction().transactionId).toBe(transaction.transactionId);
      expect(broker.halfMessages()).toHaveLength(1);
      return 'done';
    });
    expect(done).toBe('done');
    expect(await newMessages('created')).toEqual([{ body: '{"id":"x"}', tag: undefined, keys: ['k'] }]);
    await producer.for(Result).transaction({ body: { ok: true } }, async (transaction) => transaction.rollback());
    expect([await newMessages('result'), broker.halfMessages()]).toEqual([[], []]);
  });

  it('do not run when their message is invalid', async () => {
    const app = await start([OrderService], { transactionLog: new FakeLog(), topics: [Created] });
    const work = async (): Promise<never> => {
      throw new Error('it has run');
    };
    const producer = app.get(RocketMQProducer);
    await expect(producer.transaction({ topic: Created, body: { id: 7 } as never }, work)).rejects.toThrow(
      /INVALID_BODY/,
    );
    await expect(producer.transaction({ topic: 'unknown', body: 7 }, work)).rejects.toThrow(/NO_TRANSACTION_CHECKER/);
    const other: object = { topic: 'other' };
    const wrong: object = { messageGroup: 'a' };
    const body = { id: 'a' };
    const rejected = { code: 'MESSAGE_TYPE_MISMATCH', outcome: 'not-sent' };
    await expect(producer.transaction({ topic: Created, body, ...wrong }, work)).rejects.toMatchObject(rejected);
    await expect(producer.for(Created).transaction({ body, ...other }, work)).rejects.toMatchObject(rejected);
    const prepares = () => currentTransaction().prepare({ topic: Created, body, ...wrong });
    await expect(app.get(OrderService).run(prepares)).rejects.toMatchObject(rejected);
    const none = undefined as never;
    const noMessage = { code: 'ILLEGAL_MESSAGE', outcome: 'not-sent' };
    await expect(producer.for(Created).transaction(none, work)).rejects.toMatchObject(noMessage);
    await expect(app.get(OrderService).run(() => currentTransaction().prepare(none))).rejects.toMatchObject(noMessage);
    expect(broker.halfMessages()).toEqual([]);
  });

  it('are not active elsewhere', () => {
    expect(() => currentTransaction()).toThrow(/NO_TRANSACTION/);
  });
});
