// A rule for bodies, and the copies that brokers keep of a message.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { EmbeddedBroker } from 'nestjs-rocketmq/broker';
import { Connection, Producer, SimpleConsumer } from 'nestjs-rocketmq/client';
import { ConsoleCore } from '../../../../test/fixtures/console-core.js';
import type { ConsoleSource } from '../source.js';
import type { BodyRule } from './options.js';

const HOUR_MS = 3_600_000;

let broker: EmbeddedBroker;
let admin: RocketMQAdmin;
let connection: Connection;
let producer: Producer;
const closers: (() => unknown)[] = [];

beforeEach(async () => {
  broker = new EmbeddedBroker({
    nameServerPort: 0,
    timeTravel: true,
    topics: [{ name: 'cards' }, { name: 'cards-later', type: 'delay' }, { name: 'cards-tx', type: 'transaction' }],
    groups: [{ name: 'billing' }],
  });
  await broker.start();
  closers.push(() => broker.stop());
  admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint });
  closers.push(() => admin.close());
  connection = new Connection({ endpoints: broker.endpoints });
  closers.push(() => connection.close());
  producer = new Producer(connection, { transactionCheckers: { 'cards-tx': () => 'unknown' } });
  await producer.start();
  closers.push(() => producer.close());
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function opened(bodies: BodyRule, source: Partial<ConsoleSource> = { control: () => broker.control }): ConsoleCore {
  const core = new ConsoleCore({ admin, ...source }, { bodies });
  closers.push(() => core.close());
  return core;
}

/** Bodies of a message that was redelivered and is dead, of a transaction, and of a delayed one. @returns where they are shown */
async function stored(): Promise<readonly string[]> {
  const consumer = new SimpleConsumer(connection, { consumerGroup: 'billing', subscriptions: [{ topic: 'cards' }] });
  await consumer.start();
  const { messageId } = await producer.send({ topic: 'cards', body: 'CARD 1' });
  for (const message of await consumer.receive()) await consumer.changeInvisibleDuration(message, 10_000);
  await broker.control.advanceTime({ byMs: 60_000, duringWork: true });
  for (const message of await consumer.receive()) await consumer.forwardToDeadLetterQueue(message);
  await consumer.close();
  const half = await producer.beginTransaction({ topic: 'cards-tx', body: 'CARD 2' });
  const later = await producer.send({ topic: 'cards-later', body: 'CARD 3', delayMs: HOUR_MS });
  return [
    '/api/topics/cards/messages',
    `/api/topics/cards/messages/${messageId}`,
    `/api/topics/cards-tx/messages/${half.messageId}`,
    `/api/topics/cards-later/messages/${later.messageId}`,
    '/api/groups/billing/dead-letters',
    '/api/topics/%25DLQ%25billing/messages',
    '/api/topics/rmq_sys_wheel_timer/messages',
    '/api/topics/RMQ_SYS_TRANS_HALF_TOPIC/messages',
    '/api/delayed',
    '/api/transactions',
  ];
}

describe('a rule for bodies', () => {
  it('is asked about the topic that a message was sent to, wherever its copies are', async () => {
    const paths = await stored();
    const topics = new Set<string>();
    const rule: BodyRule = ({ topic }) => {
      topics.add(topic);
      return topic.startsWith('cards') ? 'hidden' : 'shown';
    };
    // As on a cluster, too, which has no control.
    for (const core of [opened(rule), opened(rule, {})])
      for (const path of paths) {
        const answer = await core.ask(path);
        expect([path, JSON.stringify(answer).includes('CARD')]).toEqual([path, false]);
      }
    expect([...topics].sort()).toEqual(['cards', 'cards-later', 'cards-tx']);
    expect((await opened(rule).ask('/api/topics/%25DLQ%25billing/messages?text=CARD')).messages).toEqual([]);
    const open = opened('shown');
    const shown = [];
    for (const path of paths) shown.push(JSON.stringify(await open.ask(path)));
    expect(shown.join()).toMatch(/CARD 1.*CARD 2.*CARD 3/);
  });

  it('decides for each viewer, also in a search', async () => {
    await producer.send({ topic: 'cards', body: 'CARD 1' });
    const core = opened((_, viewer) => (viewer === 'ada' ? 'shown' : Buffer.from('masked')));
    const found = async (viewer: string, text: string): Promise<number> =>
      (await core.ask(`/api/topics/cards/messages?text=${text}`, undefined, { viewer })).messages.length;
    expect(await Promise.all([found('ada', 'CARD'), found('bob', 'CARD'), found('bob', 'masked')])).toEqual([1, 0, 1]);
    const seen = JSON.stringify(await core.ask('/api/topics/cards/messages', undefined, { viewer: 'bob' }));
    expect([seen.includes('CARD'), seen.includes('masked')]).toEqual([false, true]);
  });

  it('is not asked about a part of a body, and hides it', async () => {
    const body = JSON.stringify({ name: 'SECRET', filler: 'x'.repeat(20_000), isClassified: true });
    await producer.send({ topic: 'cards-later', body, delayMs: HOUR_MS });
    const packing = new Producer(connection, { compression: {} });
    closers.push(() => packing.close());
    await packing.send({ topic: 'cards-later', body, delayMs: HOUR_MS });
    const core = opened(({ body: all }) => (all.includes('isClassified') ? 'hidden' : 'shown'));
    const { messages } = await core.ask('/api/delayed');
    expect(messages).toMatchObject([{ body: { kind: 'hidden' } }, { body: { kind: 'hidden' } }]);
  });

  it('that throws hides the body of that message only, and is logged', async () => {
    await producer.send({ topic: 'cards', body: 'no JSON' });
    await producer.send({ topic: 'cards', body: '{"card":4711}' });
    const core = opened(({ body }) => Buffer.from(Object.keys(JSON.parse(body.toString())).join()));
    const { messages } = await core.ask('/api/topics/cards/messages?order=oldest-first');
    expect(
      messages.map(({ body }: { body: { kind: string; text?: string } }) => body.text ?? body.kind).sort(),
    ).toEqual(['card', 'hidden']);
    expect(core.lines.join()).toContain('the rule for bodies failed');
  });
});
