// Methods with @TransactionalSend in classes: overridden, nested, on controllers, request-scoped, called incorrectly.

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Body, Controller, Inject, Injectable, Param, Post, type Provider, Scope, type Type } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { NestBench } from '../../../../test/fixtures/nest-bench.js';
import { currentTransaction, defineTopic, TransactionalSend } from '../entries/nest.js';

const Created = defineTopic<{ id: string }>('created', { type: 'transaction' });
const Other = defineTopic<{ id: string }>('other', { type: 'transaction' });

let bench: NestBench;
beforeAll(async () => {
  bench = await NestBench.open();
});
afterEach(() => bench.closeApps());
afterAll(() => bench.close());

async function start(providers: Provider[], controllers: Type[] = []) {
  const transactionLog = { check: async () => 'rollback' as const };
  return bench.start({ providers, controllers, options: { consumerGroup: 'service', transactionLog } });
}

/** The messages that became visible on a topic since the last call. */
const seen = new Set<string>();
async function news(topic = 'created'): Promise<string[]> {
  await bench.broker.idle();
  const fresh = bench.broker.messages(topic).filter(({ messageId }) => !seen.has(messageId));
  for (const { messageId } of fresh) seen.add(messageId);
  return fresh.map(({ body }) => JSON.parse(body.toString()).id as string).sort();
}

const fromId = { message: (id: string) => ({ body: { id } }) };

describe('an override that calls super', () => {
  it('is one transaction with one message: its own, otherwise that of super', async () => {
    const ids: string[] = [];
    class Base {
      @TransactionalSend(Created, { message: (id: string) => ({ body: { id: `base ${id}` } }) })
      async create(id: string): Promise<string> {
        ids.push(currentTransaction().transactionId);
        return id;
      }
    }
    class Own extends Base {
      @TransactionalSend(Created, { message: (id: string) => ({ body: { id: `own ${id}` } }) })
      override async create(id: string): Promise<string> {
        ids.push(currentTransaction().transactionId);
        return super.create(id);
      }
    }
    class Without extends Own {
      @TransactionalSend(Created)
      override async create(id: string): Promise<string> {
        expect(currentTransaction().isPrepared).toBe(false);
        return super.create(id);
      }
    }
    class Undecorated extends Base {
      override create(id: string): Promise<string> {
        return super.create(`undecorated ${id}`);
      }
    }
    const app = await start([Own, Without, Undecorated]);
    expect(await app.get(Own).create('a')).toBe('a');
    expect(await news()).toEqual(['own a']);
    expect(new Set(ids).size).toBe(1);
    await app.get(Without).create('b');
    expect(await news()).toEqual(['own b']);
    await app.get(Undecorated).create('c');
    expect(await news()).toEqual(['base undecorated c']);
  });

  it('is rolled back as one', async () => {
    class Base {
      @TransactionalSend(Created, fromId)
      async create(_id: string): Promise<void> {
        currentTransaction().rollback();
      }
    }
    class Own extends Base {
      @TransactionalSend(Created, fromId)
      override async create(id: string): Promise<void> {
        await super.create(id);
        if (id === 'bad') throw new Error('no');
      }
    }
    const app = await start([Own]);
    await app.get(Own).create('a');
    await expect(app.get(Own).create('bad')).rejects.toThrow('no');
    expect([await news(), bench.broker.halfMessages()]).toEqual([[], []]);
  });

  it('is rejected when they are for two topics, and after its end', async () => {
    let late: Promise<string> | undefined;
    let end = (): void => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    let hasRun = false;
    class Base {
      @TransactionalSend(Other, fromId)
      async create(id: string): Promise<string> {
        hasRun = true;
        return id;
      }

      @TransactionalSend(Created, fromId)
      async forget(id: string): Promise<string> {
        hasRun = true;
        return id;
      }
    }
    class Own extends Base {
      @TransactionalSend(Created, fromId)
      override async create(id: string): Promise<string> {
        return super.create(id);
      }

      @TransactionalSend(Created, fromId)
      override async forget(id: string): Promise<string> {
        late = ended.then(() => super.forget(id));
        return id;
      }
    }
    const app = await start([Own]);
    await expect(app.get(Own).create('a')).rejects.toThrow(/OTHER_TOPIC.*super\.create\(\).*"other".*"created"/);
    await app.get(Own).forget('b');
    end();
    await expect(late).rejects.toThrow(/TRANSACTION_ENDED.*super\.forget\(\).*has not run/);
    expect([await news(), await news('other'), hasRun]).toEqual([['b'], [], false]);
  });
});

describe('other calls', () => {
  it('are transactions of their own: of other methods, other instances, and of itself', async () => {
    @Injectable()
    class Inner {
      @TransactionalSend(Created, fromId)
      async create(id: string): Promise<string> {
        if (id.endsWith('bad')) throw new Error('inner');
        return currentTransaction().transactionId;
      }
    }
    @Injectable()
    class Outer {
      constructor(private readonly inner: Inner) {}

      @TransactionalSend(Created, fromId)
      async create(id: string): Promise<string[]> {
        const before = currentTransaction().transactionId;
        const nested = await this.inner.create(`inner ${id}`).catch(() => 'failed');
        expect(currentTransaction().transactionId).toBe(before);
        return [before, nested, await this.other(`other ${id}`)];
      }

      @TransactionalSend(Other, fromId)
      async other(_id: string): Promise<string> {
        return currentTransaction().transactionId;
      }

      @TransactionalSend(Created, fromId)
      async countdown(id: string): Promise<string[]> {
        const own = currentTransaction().transactionId;
        return id === '0' ? [own] : [own, ...(await this.countdown(String(Number(id) - 1)))];
      }
    }
    const app = await start([Inner, Outer]);
    expect(new Set(await app.get(Outer).create('a')).size).toBe(3);
    expect([await news(), await news('other')]).toEqual([['a', 'inner a'], ['other a']]);
    expect(await app.get(Outer).create('bad')).toContain('failed');
    expect(await news()).toEqual(['bad']);
    expect(new Set(await app.get(Outer).countdown('2')).size).toBe(3);
    expect(await news()).toEqual(['0', '1', '2']);
  });

  it('do not mix when they run concurrently', async () => {
    class Service {
      @TransactionalSend(Created, fromId)
      async create(id: string): Promise<string> {
        const before = currentTransaction().messageId;
        await new Promise((resolve) => setImmediate(resolve));
        expect(currentTransaction().messageId).toBe(before);
        if (Number(id) % 2 === 1) currentTransaction().rollback();
        return before;
      }
    }
    const service = (await start([Service])).get(Service);
    const ids = await Promise.all(['0', '1', '2', '3'].map((id) => service.create(id)));
    expect(new Set(ids).size).toBe(4);
    expect(await news()).toEqual(['0', '2']);
  });
});

describe('the method itself', () => {
  it('keeps its parameters, its this and its type parameters', async () => {
    class Service {
      private readonly prefix = 'p';

      @TransactionalSend(Created, { message: (id: string, n: number) => ({ body: { id: `${id}${n}` } }) })
      async create<T>(id: string, n: number, extra: T, ...rest: string[]): Promise<[string, T, string[]]> {
        return [`${this.prefix}${id}${n}`, extra, rest];
      }
    }
    const service = (await start([Service])).get(Service);
    const result: [string, Date, string[]] = await service.create('a', 1, new Date(7), 'x', 'y');
    expect(result).toEqual(['pa1', new Date(7), ['x', 'y']]);
    expect(await news()).toEqual(['a1']);
  });

  it('is a route of a controller, below or above @Post()', async () => {
    @Controller('orders')
    class Orders {
      @Post('above/:id')
      @TransactionalSend(Created, {
        message: (id: string, body: { n: number }) => ({ body: { id: `${id}${body.n}` } }),
      })
      async above(@Param('id') id: string, @Body() body: { n: number }): Promise<unknown> {
        return { id, n: body.n };
      }

      @TransactionalSend(Created, fromId)
      @Post('below/:id')
      async below(@Param('id') id: string): Promise<unknown> {
        return { id };
      }
    }
    const app = await start([], [Orders]);
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    const post = async (path: string): Promise<unknown> => {
      const headers = { 'content-type': 'application/json', connection: 'close' };
      return (await fetch(`${url}/orders/${path}`, { method: 'POST', headers, body: '{"n":7}' })).json();
    };
    expect([await post('above/a'), await post('below/b')]).toEqual([{ id: 'a', n: 7 }, { id: 'b' }]);
    expect(await news()).toEqual(['a7', 'b']);
  });

  it('belongs to the instance of its request', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Base {
      @Inject(REQUEST) readonly request!: { readonly params: { readonly id: string } };

      @TransactionalSend(Created, {
        message: function (this: unknown) {
          return { body: { id: (this as Base).request.params.id } };
        },
      })
      async create(): Promise<string> {
        return this.request.params.id;
      }
    }
    @Injectable({ scope: Scope.REQUEST })
    class Scoped extends Base {
      @TransactionalSend(Created)
      override async create(): Promise<string> {
        return super.create();
      }
    }
    @Controller('scoped')
    class Desk {
      constructor(private readonly scoped: Scoped) {}

      @Post(':id')
      enter(): Promise<string> {
        return this.scoped.create();
      }
    }
    const app = await start([Scoped], [Desk]);
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    const headers = { connection: 'close' };
    await Promise.all(['a', 'b'].map((id) => fetch(`${url}/scoped/${id}`, { method: 'POST', headers })));
    expect(await news()).toEqual(['a', 'b']);
  });
});

describe('an incorrect use is rejected', () => {
  it('when prepare() is called twice, in addition to a message, or after the end', async () => {
    let late: (() => Promise<void>) | undefined;
    class Service {
      @TransactionalSend(Created)
      async twice(): Promise<void> {
        await currentTransaction().prepare({ body: { id: 'first' } });
        await currentTransaction().prepare({ body: { id: 'second' } });
      }

      @TransactionalSend(Created, fromId)
      async beside(_id: string): Promise<void> {
        await currentTransaction().prepare({ body: { id: 'second' } });
      }

      @TransactionalSend(Created)
      async forgets(): Promise<void> {
        const transaction = currentTransaction();
        late = () => transaction.prepare({ body: { id: 'late' } });
      }
    }
    const service = (await start([Service])).get(Service);
    await expect(service.twice()).rejects.toThrow(/ALREADY_PREPARED.*one message/);
    await expect(service.beside('x')).rejects.toThrow(/ALREADY_PREPARED/);
    await service.forgets();
    await expect(late?.()).rejects.toThrow(/TRANSACTION_ENDED.*await all work that belongs to it/);
    expect(await news()).toEqual([]);
  });

  it('when the method is called without Nest, or without its instance', async () => {
    class Service {
      @TransactionalSend(Created, fromId)
      async create(id: string): Promise<string> {
        return id;
      }
    }
    await expect(new Service().create('a')).rejects.toThrow(/NO_MODULE.*Service\.create.*has not run/);
    const { create } = (await start([Service])).get(Service);
    await expect(create('a')).rejects.toThrow(/NO_MODULE/);
  });

  it('when the method is synchronous: the check decides', async () => {
    class Service {
      // @ts-expect-error a local transaction is asynchronous
      @TransactionalSend(Created, fromId)
      create(id: string): string {
        return id;
      }
    }
    const app = await start([Service]);
    await expect(app.get(Service).create('a') as unknown as Promise<string>).rejects.toThrow(
      /NOT_ASYNC.*Service\.create.*returns no promise/,
    );
    expect([await news(), bench.broker.halfMessages()]).toEqual([[], []]);
  });

  it('except that unit tests can create the class in a module without RocketMQ', async () => {
    class Service {
      @TransactionalSend(Created, fromId)
      async create(id: string): Promise<string> {
        return id;
      }
    }
    const module = await Test.createTestingModule({ providers: [Service] }).compile();
    await expect(module.get(Service).create('a')).rejects.toThrow(/NO_MODULE/);
    await module.close();
  });
});
