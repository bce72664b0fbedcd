// Event streams: what a browser misses that connects again, does not read, or follows while brokers are away.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  RocketMQAdmin,
  type StoredMessageView,
  type TailedMessages,
  type TailOptions,
  TransportError,
} from 'nestjs-rocketmq/admin';
import { Connection, Producer } from 'nestjs-rocketmq/client';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { ConsoleCore, type OpenStream } from '../../../../test/fixtures/console-core.js';
import { soon, until } from '../../../../tools/until.js';

const FOLLOW = '/api/events?follow=orders';

let broker: TestBroker;
let admin: RocketMQAdmin;
let producer: Producer;
const closers: (() => unknown)[] = [];

beforeEach(async () => {
  broker = await TestBroker.start({ strict: true, nameServerPort: 0, topics: [{ name: 'orders' }] });
  closers.push(() => broker.stop());
  admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint });
  closers.push(() => admin.close());
  const connection = new Connection({ endpoints: broker.endpoints });
  closers.push(() => connection.close());
  producer = new Producer(connection);
  await producer.start();
  closers.push(() => producer.close());
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function opened(of: RocketMQAdmin = admin): ConsoleCore {
  const core = new ConsoleCore({ admin: of });
  closers.push(() => core.close());
  return core;
}

/** What the browser sends when it connects again. */
function lastIdOf({ got }: OpenStream): Readonly<Record<string, string>> {
  const ids = got.flatMap((line) => /^id: (.*)$/m.exec(line)?.[1] ?? []);
  return { 'last-event-id': ids.at(-1) ?? '' };
}

/** An administration whose topic is followed as the spec says. */
function following(tail: (options: TailOptions) => AsyncGenerator<TailedMessages>): RocketMQAdmin {
  const tailMessages = (_: string, options: TailOptions): AsyncIterable<TailedMessages> => tail(options);
  return new Proxy(admin, {
    get: (target, name) => {
      if (name === 'tailMessages') return tailMessages;
      const own: unknown = Reflect.get(target, name);
      return typeof own === 'function' ? own.bind(target) : own;
    },
  });
}

describe('streams of one viewer', () => {
  it('are so few that others have room', async () => {
    const core = opened();
    const mine = [];
    for (let tab = 0; tab < 20; tab++) mine.push(await core.open(FOLLOW, { viewer: 'ada' }));
    expect(await core.ask(FOLLOW, undefined, { viewer: 'ada' })).toMatchObject({
      status: 503,
      error: { code: 'TOO_MANY', message: 'you have 20 tabs open on this console; close one' },
    });
    const other = await core.open(FOLLOW, { viewer: 'bob' });
    await other.has('event: samples');
    await mine[0]?.leave();
    await (await core.open(FOLLOW, { viewer: 'ada' })).has('event: samples');
  });
});

describe('a browser that follows a topic', () => {
  it('and connects again has what came meanwhile, also when nothing had been shown', async () => {
    const core = opened();
    const first = await core.open(FOLLOW);
    await first.has('event: messages');
    await first.leave();
    await producer.send({ topic: 'orders', body: 'in the gap' });
    const second = await core.open(FOLLOW, { headers: lastIdOf(first) });
    await second.has('"text":"in the gap"');
    await second.leave();
    const third = await core.open(FOLLOW, { headers: lastIdOf(second) });
    await third.has('event: messages');
    await producer.send({ topic: 'orders', body: 'last' });
    await third.has('"text":"last"');
    await third.leave();
    expect(third.got.join()).not.toContain('in the gap');
  });

  it('follows again when brokers are back that were away for long, and shows that they were', async () => {
    const looks: (string | undefined)[] = [];
    const core = opened(
      following(async function* ({ after, signal }) {
        looks.push(after);
        if (looks.length === 1) {
          yield { messages: [], skipped: 0, next: 'tail:a/0/7', failures: [] };
          throw new TransportError('UNAVAILABLE', 'no broker answers', 'not-sent', true);
        }
        yield { messages: [], skipped: 5, next: 'tail:a/0/12', failures: [] };
        await until(() => signal?.aborted === true);
      }),
    );
    const stream = await core.open(FOLLOW);
    await stream.has('"skipped":5');
    await stream.leave();
    expect(stream.got.join()).toContain('event: problem\ndata: {"message":"[UNAVAILABLE] no broker answers"}');
    expect(looks).toEqual([undefined, 'tail:a/0/7']);
  });

  it('and does not read does not fill the memory; what was left out is counted', async () => {
    const message = {
      topic: 'orders',
      messageId: 'm',
      body: Buffer.alloc(10),
      keys: [],
      properties: { p: 'x'.repeat(100_000) },
    };
    const messages = Array.from({ length: 10 }, () => message as unknown as StoredMessageView);
    let sent = 0;
    const core = opened(
      following(async function* ({ signal }) {
        for (; sent < 100; sent++) {
          yield { messages, skipped: 0, next: `tail:a/0/${sent}`, failures: [] };
          await new Promise((resolve) => setImmediate(resolve));
        }
        await until(() => signal?.aborted === true);
      }),
    );
    const lines = (await core.stream(FOLLOW))[Symbol.asyncIterator]();
    await lines.next();
    await soon(() => sent === 100);
    let characters = 0;
    let dropped = 0;
    while (dropped === 0) {
      const { value = '' } = await lines.next();
      characters += value.length;
      dropped = Number(/event: dropped\ndata: \{"events":(\d+)\}/.exec(value)?.[1] ?? 0);
    }
    await lines.return?.();
    expect(characters).toBeLessThan(6_000_000);
    expect(dropped).toBeGreaterThan(90);
  });
});

describe('a console that closes', () => {
  it('ends its streams, and opens no other', async () => {
    const core = opened();
    const stream = await core.open(FOLLOW);
    await stream.has('event: samples');
    core.close();
    await stream.ended;
    expect(await core.ask('/api/events')).toMatchObject({ status: 503, error: { code: 'CLOSED' } });
  });
});
