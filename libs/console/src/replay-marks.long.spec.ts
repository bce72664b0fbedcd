// Which dead letters were replayed, as their page says it.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { Connection, Producer, SimpleConsumer } from 'nestjs-rocketmq/client';
import { TestBroker } from 'nestjs-rocketmq/testing';
import type { Json } from '../../../test/fixtures/console-bench.js';
import { ConsoleCore } from '../../../test/fixtures/console-core.js';

const LIST = '/api/groups/billing/dead-letters';

let broker: TestBroker;
let connection: Connection;
let producer: Producer;
let admin: RocketMQAdmin;
let core: ConsoleCore;
/** How many plans were asked of the cluster. */
let plans = 0;
let elapsedMs = 0;

beforeEach(async () => {
  const topics = [
    { name: 'orders', queues: 1 },
    { name: 'invoices', queues: 1 },
  ];
  broker = await TestBroker.start({ strict: true, nameServerPort: 0, topics, groups: [{ name: 'billing' }] });
  connection = new Connection({ endpoints: broker.endpoints });
  producer = new Producer(connection);
  admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint });
  const planReplayOf = admin.planReplayOf.bind(admin);
  [plans, elapsedMs] = [0, 0];
  admin.planReplayOf = (...call) => {
    plans++;
    return planReplayOf(...call);
  };
  core = new ConsoleCore(
    { admin, send: (message) => producer.send(message), monotonicMs: () => elapsedMs },
    { actions: ['replay', 'send'] },
  );
});
afterEach(async () => {
  core.close();
  await admin.close();
  await producer.close();
  await connection.close();
  await broker.stop();
});

async function bury(topic: string, ...bodies: readonly string[]): Promise<void> {
  const consumer = new SimpleConsumer(connection, { consumerGroup: 'billing', subscriptions: [{ topic }] });
  await consumer.start();
  for (const body of bodies) {
    await producer.send({ topic, body });
    for (const message of await consumer.receive({ maxMessages: 1 })) await consumer.forwardToDeadLetterQueue(message);
  }
  await consumer.close();
}

/** The body of each, with its mark. */
async function marks(): Promise<Json> {
  const { deadLetters, failures } = await core.ask(LIST);
  expect(failures).toEqual([]);
  return deadLetters.map(({ body, replay }: Json) => [body.text, replay?.kind]);
}

async function positionOf(text: string): Promise<string> {
  const { deadLetters } = await core.ask(LIST);
  return deadLetters.find(({ body }: Json) => body.text === text).position;
}

async function markIn(text: string): Promise<Json> {
  const found = await core.ask(`${LIST}/compare?position=${encodeURIComponent(await positionOf(text))}`);
  return found.deadLetter.replay;
}

describe('a dead letter', () => {
  it('is marked when it was replayed, by whomever, was sent as an edited copy, or cannot be replayed', async () => {
    await bury('orders', 'here', 'elsewhere', 'edited', 'waiting');
    await bury('invoices', 'gone');
    const not = 'not-replayed';
    expect(await marks()).toEqual(['here', 'elsewhere', 'edited', 'waiting', 'gone'].map((text) => [text, not]));
    const change = { action: 'replay', consumerGroup: 'billing' };
    await core.change({ ...change, positions: [await positionOf('here')] });
    await core.change({ ...change, positions: [await positionOf('edited')], edited: { text: 'better' } });
    await admin.replayDeadLetters('billing', { select: ({ body }) => body.toString() === 'elsewhere' });
    await admin.deleteTopic('invoices');
    // What others do is seen within a minute.
    elapsedMs += 60_000;
    expect(await marks()).toEqual([
      ['here', 'replayed'],
      ['elsewhere', 'replayed'],
      ['edited', 'edited'],
      ['waiting', not],
      ['gone', 'not-replayable'],
    ]);
    expect(await markIn('here')).toEqual({ kind: 'replayed' });
    expect(await markIn('edited')).toEqual({ kind: 'edited' });
    const error = { code: 'ORIGIN_GONE', message: expect.stringContaining('"invoices" no longer exists') };
    expect(await markIn('gone')).toMatchObject({ kind: 'not-replayable', error });
  });

  it('is asked about once a minute with all the others, whoever looks, and not after this console has sent it', async () => {
    await bury('orders', 'a', 'b', 'c');
    for (const viewer of ['ada', 'bob']) await core.ask(LIST, undefined, { viewer });
    expect(await markIn('b')).toEqual({ kind: 'not-replayed' });
    expect(plans).toBe(1);
    await bury('orders', 'd');
    expect(await marks()).toHaveLength(4);
    expect(plans).toBe(2);
    elapsedMs += 60_000;
    await marks();
    expect(plans).toBe(3);
    // The index of a server lags behind its store: what was sent is not asked about.
    await core.change({ action: 'replay', consumerGroup: 'billing' });
    const before = plans;
    expect((await marks()).map(([, mark]: Json) => mark)).toEqual(Array(4).fill('replayed'));
    expect(plans).toBe(before);
  });

  it('is listed without a mark, which is said, where the brokers do not answer for its topic', async () => {
    await bury('orders', 'a');
    admin.planReplayOf = () => Promise.reject(new Error('broker-a is away'));
    expect(await core.ask(LIST)).toMatchObject({
      deadLetters: [{ body: { text: 'a' } }],
      failures: [{ name: 'which were replayed', error: { message: 'broker-a is away' } }],
    });
  });
});
