// What the page of a message makes of its trail, for messages with several lives.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { EmbeddedBroker } from 'nestjs-rocketmq/broker';
import { Connection, Producer, PushConsumer, SimpleConsumer } from 'nestjs-rocketmq/client';
import { ConsoleCore } from '../../../test/fixtures/console-core.js';
import { soon } from '../../../tools/until.js';
import { type Lane, lanesOf } from '../web/lib/trail.js';
import type { Trail } from '../web/types.js';

const DAY_MS = 86_400_000;

let broker: EmbeddedBroker;
let admin: RocketMQAdmin;
let connection: Connection;
let producer: Producer;
const closers: (() => unknown)[] = [];

beforeEach(async () => {
  broker = new EmbeddedBroker({
    nameServerPort: 0,
    timeTravel: true,
    topics: [{ name: 'orders' }, { name: 'payments', type: 'transaction' }],
    groups: [{ name: 'billing' }],
  });
  await broker.start();
  closers.push(() => broker.stop());
  admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint });
  closers.push(() => admin.close());
  connection = new Connection({ endpoints: broker.endpoints });
  closers.push(() => connection.close());
  producer = new Producer(connection, { transactionCheckers: { payments: () => 'unknown' } });
  await producer.start();
  closers.push(() => producer.close());
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** @param control whether the broker is an embedded one, which knows what is held */
async function lanes(topic: string, messageId: string, control = true): Promise<readonly Lane[]> {
  const core = new ConsoleCore({ admin, ...(control && { control: () => broker.control }) });
  closers.push(() => core.close());
  const trail = (await core.ask(`/api/topics/${topic}/messages/${messageId}`)) as Trail;
  return lanesOf(trail, Date.now());
}

const steps = (lane: Lane | undefined): string[] =>
  lane?.spans.map(({ what, tone }) => (tone === undefined ? what : `${what} (${tone})`)) ?? [];

async function deadLetters(): Promise<number> {
  const { deadLetters: found } = await admin.listDeadLetters('billing').catch(() => ({ deadLetters: [] }));
  return found.length;
}

const DEAD = [
  'Delivery 1 failed, then backoff',
  'Delivery 2 failed, then backoff',
  'Delivery 3 failed',
  'Dead letter after 3 deliveries (bad)',
];

describe('the trail', () => {
  it('of a transaction says that it was rolled back where that is known, and not that it is open where it is not', async () => {
    const half = await producer.beginTransaction({ topic: 'payments', body: 'x' });
    expect(steps((await lanes('payments', half.messageId))[0]).at(-1)).toBe('Half message, not yet ended (wait)');
    await half.rollback();
    expect(steps((await lanes('payments', half.messageId))[0]).at(-1)).toBe('Half message, rolled back (wait)');
    const elsewhere = steps((await lanes('payments', half.messageId, false))[0]).at(-1);
    expect(elsewhere).toBe('Half message, open or rolled back (wait)');
  });

  it('of a transaction that a real server checks, which stores it anew each time, has one half message, and its checks by number', async () => {
    const { messageId } = await producer.beginTransaction({ topic: 'payments', body: 'x' });
    const core = new ConsoleCore({ admin });
    closers.push(() => core.close());
    const trail = (await core.ask(`/api/topics/payments/messages/${messageId}`)) as Trail;
    const copies = trail.halfMessages.flatMap((half) =>
      [0, 1, 2].map((checks) => {
        const properties: Record<string, string> = checks === 0 ? {} : { TRANSACTION_CHECK_TIMES: String(checks) };
        return { ...half, storeTimestampMs: half.storeTimestampMs + checks, properties };
      }),
    );
    expect(steps(lanesOf({ ...trail, halfMessages: copies }, Date.now())[0]).slice(1)).toEqual([
      'Half message, open or rolled back (wait)',
      'Check 1 of the half message (wait)',
      'Check 2 of the half message (wait)',
    ]);
  });

  it('of a message that died, was replayed and died again has each life with its end', async () => {
    const consumer = new PushConsumer(connection, {
      consumerGroup: 'billing',
      maxAttempts: 3,
      subscriptions: [{ topic: 'orders' }],
      handler: async () => {
        throw new Error('no');
      },
    });
    closers.push(() => consumer.close());
    await consumer.start();
    const { messageId } = await producer.send({ topic: 'orders', body: 'x' });
    await broker.control.advanceTime({ byMs: DAY_MS });
    await soon(async () => (await deadLetters()) === 1);
    await admin.replayDeadLetters('billing');
    await broker.control.advanceTime({ byMs: DAY_MS });
    await soon(async () => (await deadLetters()) === 2);
    const [, group] = await lanes('orders', messageId);
    expect([group?.state, steps(group)]).toEqual(['dead letter', [...DEAD, ...DEAD]]);
  });
});

it('a message that is held beyond 500 others is shown as held', async () => {
  const consumer = new SimpleConsumer(connection, { consumerGroup: 'billing', subscriptions: [{ topic: 'orders' }] });
  closers.push(() => consumer.close());
  await consumer.start();
  const results = await producer.sendBatch(Array.from({ length: 520 }, () => ({ topic: 'orders', body: 'x' })));
  let left = results.length;
  while (left > 0) left -= (await consumer.receive({ maxMessages: 32 })).length;
  const { items, next } = await broker.control.inFlight({ topic: 'orders', limit: 500 });
  expect(items).toHaveLength(500);
  const [beyond] = (await broker.control.inFlight({ topic: 'orders', after: next })).items;
  const [, group] = await lanes('orders', beyond?.messageId ?? '');
  expect(group?.state).toBe('being handled');
});
