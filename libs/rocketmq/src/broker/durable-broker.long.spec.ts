// What a broker with a data folder keeps after a stop, and after a kill.

import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { consumerSettings, RawClient, receiveRequest, resource } from '../../../../tools/wire/raw-grpc-client.js';
import { RocketMQAdmin } from '../admin/rocketmq-admin.js';
import { Connection } from '../client/connection.js';
import { SimpleConsumer } from '../consumer/simple/simple-consumer.js';
import type { ReceivedMessage } from '../consumer/simple/simple-receives.js';
import { Producer } from '../producer/producer.js';
import { ClientType, Code } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../support/clock.js';
import { TestBroker, type TestBrokerOptions } from '../testing/test-broker.js';

let folder: string;
let closers: (() => Promise<unknown>)[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'durable-'));
  closers = [];
});

afterEach(async () => {
  for (const close of closers.reverse()) await close();
  await rm(folder, { recursive: true });
});

async function start(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const broker = await TestBroker.start({ data: join(folder, 'data'), recallEnabled: true, ...options });
  closers.push(() => broker.stop());
  return broker;
}

async function clientsOf(broker: TestBroker, topic: string) {
  const connection = new Connection({ endpoints: broker.endpoints, clock: broker.clock });
  const producer = new Producer(connection, { transactionCheckers: { paid: () => 'unknown' } });
  const subscriptions = [{ topic }];
  const consumer = new SimpleConsumer(connection, { consumerGroup: 'g', subscriptions, longPollingTimeoutMs: 5_000 });
  await Promise.all([producer.start(), consumer.start()]);
  closers.push(async () => {
    await Promise.all([consumer.close(), producer.close()]);
    await connection.close();
  });
  return { producer, consumer };
}

const bodies = (messages: readonly ReceivedMessage[]): string[] => messages.map(({ body }) => body.toString()).sort();

/** Simulates a kill at this moment: a broker on a copy of the folder, without a close. */
async function killed(broker: TestBroker, options: TestBrokerOptions = {}): Promise<TestBroker> {
  const copy = join(folder, `copy-${closers.length}`);
  await cp(join(folder, 'data'), copy, { recursive: true });
  await rm(join(copy, 'LOCK'));
  expect(broker.endpoints).toBeDefined();
  return start({ ...options, data: copy });
}

describe('a broker with a folder', () => {
  it('keeps a group paused, with its reason, although it is declared again', async () => {
    const options = { groups: [{ name: 'g', maxDeliveryAttempts: 3 }], nameServerPort: 0 };
    const adminOf = ({ nameServerEndpoint: nameServer }: TestBroker) => {
      const admin = new RocketMQAdmin({ nameServer });
      closers.push(() => admin.close());
      return admin;
    };
    const before = await start(options);
    const pause = { reason: 'the bank is away', by: 'ada' };
    await adminOf(before).pauseGroup('g', pause);
    for (const after of [await killed(before, options), await before.stop().then(() => start(options))]) {
      const admin = adminOf(after);
      expect((await admin.describeGroup('g'))?.pause).toMatchObject(pause);
      const { consumer } = await clientsOf(after, 'orders');
      await expect(consumer.receive()).rejects.toMatchObject({ code: 'GROUP_PAUSED' });
      await admin.resumeGroup('g');
      expect((await admin.describeGroup('g'))?.pause).toBeUndefined();
    }
  });

  it('keeps its messages and the settlements of groups after a stop', async () => {
    const before = await start();
    const first = await clientsOf(before, 'orders');
    for (const body of ['1', '2', '3']) await first.producer.send({ topic: 'orders', body });
    const received = await first.consumer.receive({ maxMessages: 1 });
    for (const message of received) await first.consumer.ack(message);
    await before.stop();
    const { consumer } = await clientsOf(await start(), 'orders');
    const rest = await consumer.receive({ maxMessages: 10 });
    expect(bodies([...received, ...rest])).toEqual(['1', '2', '3']);
  });

  it('keeps everything that it answered after a kill: sends, acks, attempts, timers, half messages', async () => {
    const options = { topics: [{ name: 'paid', type: 'transaction' }] } as const;
    const before = await start({ ...options, groups: [{ name: 'declared', fifo: true, maxDeliveryAttempts: 3 }] });
    const { producer, consumer } = await clientsOf(before, 'orders');
    for (const body of ['acked', 'held']) await producer.send({ topic: 'orders', body });
    await producer.send({ topic: 'later', body: 'timer', delayMs: HOUR_MS });
    const open = await producer.beginTransaction({ topic: 'paid', body: 'open' });
    const ended = await producer.beginTransaction({ topic: 'paid', body: 'ended' });
    await ended.commit();
    const messages = await consumer.receive({ maxMessages: 10 });
    for (const message of messages) if (message.body.toString() === 'acked') await consumer.ack(message);
    const after = await killed(before);
    expect(after.inFlight()).toMatchObject([{ topic: 'orders', group: 'g', attempt: 1, body: Buffer.from('held') }]);
    expect(after.waiting()).toMatchObject([{ kind: 'delayed', body: Buffer.from('timer') }]);
    expect(after.halfMessages()).toMatchObject([{ transactionId: open.transactionId }]);
    expect(after.messages('paid')).toMatchObject([{ body: Buffer.from('ended') }]);
    expect(() => after.declareTopic({ name: 'paid', type: 'fifo' })).toThrow(/is of type transaction/);
    await open.rollback();
  });

  it('delivers messages that became due while it was stopped, and ends leases that expired', async () => {
    const before = await start({ manualClock: true });
    const first = await clientsOf(before, 'orders');
    await first.producer.send({ topic: 'orders', body: 'due', delayMs: 30 * MINUTE_MS });
    await before.stop();
    const after = await start({ manualClock: true });
    const startedAtMs = after.clock.nowMs();
    const { consumer } = await clientsOf(after, 'orders');
    await after.advance(31 * MINUTE_MS);
    expect(after.clock.nowMs()).toBeGreaterThan(startedAtMs);
    expect(bodies(await consumer.receive({ maxMessages: 1 }))).toEqual(['due']);
  });

  it('answers a send with async flush before it is on disk, which it is a second later', async () => {
    const before = await start({ flush: 'async' });
    const { producer } = await clientsOf(before, 'orders');
    await producer.send({ topic: 'orders', body: 'x' });
    let found = 0;
    for (const until = Date.now() + SECOND_MS; found === 0 && Date.now() < until; ) {
      // The broker writes while its file is copied: a copy can have the new head and the old end, which no kill leaves.
      const copy = await killed(before).catch((error: { code?: string }) => {
        if (error.code !== 'DATA_DAMAGED') throw error;
      });
      found = copy?.messages('orders').length ?? 0;
    }
    expect(found).toBe(1);
  });

  it('rejects a topic that exists in the folder with another type, and unlocks the folder', async () => {
    const declared = (type: 'fifo' | 'normal') => start({ topics: [{ name: 'a', type }] });
    await (await declared('fifo')).stop();
    await expect(declared('normal')).rejects.toMatchObject({ code: 'DECLARATION_CONFLICT' });
    await (await declared('fifo')).stop();
  });

  it('cannot be opened by a second broker', async () => {
    await start();
    await expect(start()).rejects.toMatchObject({ code: 'DATA_IN_USE' });
  });

  it('accepts strings of producers that exceed the length of a key on disk', async () => {
    const broker = await start({ nameServerPort: 0 });
    const { producer } = await clientsOf(broker, 'orders');
    const key = 'k'.repeat(5_000);
    await producer.send({ topic: 'orders', body: 'x', keys: [key] });
    expect(broker.messages('orders')).toMatchObject([{ keys: [key] }]);
  });
});

describe('a lease that the broker renews (auto_renew), after a restart', () => {
  /** A client with this id and an open telemetry stream, which counts as connected. */
  async function present(broker: TestBroker): Promise<RawClient> {
    const client = new RawClient(broker.endpoints, 'the same client');
    closers.push(async () => client.close());
    await client.settle(consumerSettings('g', ClientType.PUSH_CONSUMER));
    return client;
  }

  async function receive(client: RawClient) {
    const items = await client.receive({ ...receiveRequest('q', 'g'), autoRenew: true, invisibleDuration: undefined });
    return items.flatMap(({ content }) => {
      if (content?.$case !== 'message') return [];
      const { messageId, deliveryAttempt, receiptHandle = '' } = content.value.systemProperties ?? {};
      return [{ messageId, deliveryAttempt, receiptHandle }];
    });
  }

  const killedInManualTime = (broker: TestBroker): Promise<TestBroker> => killed(broker, { manualClock: true });
  const restarted = async (broker: TestBroker): Promise<TestBroker> => {
    await broker.stop();
    await broker.broker.start();
    return broker;
  };

  it.each([
    { fifo: false, how: 'a kill', restart: killedInManualTime },
    { fifo: true, how: 'a kill', restart: killedInManualTime },
    { fifo: false, how: 'a stop', restart: restarted },
    { fifo: true, how: 'a stop', restart: restarted },
  ])('is redelivered within a minute of $how, though its client heartbeats (ordered: $fifo)', async (given) => {
    const topics = [{ name: 'q', queues: 1 }];
    const before = await start({ manualClock: true, topics, groups: [{ name: 'g', fifo: given.fifo }] });
    const { producer } = await clientsOf(before, 'q');
    const { messageId } = await producer.send({ topic: 'q', body: 'x' });
    // The broker does not know whether this response arrived.
    expect(await receive(await present(before))).toMatchObject([{ messageId, deliveryAttempt: 1 }]);
    const after = await given.restart(before);
    const client = await present(after);
    await after.advance(MINUTE_MS, { duringWork: true });
    await client.call('heartbeat', { group: resource('g'), clientType: ClientType.PUSH_CONSUMER });
    const again = await receive(client);
    expect(again).toMatchObject([{ messageId, deliveryAttempt: 2 }]);
    // It renews what this process delivered.
    await after.advance(10 * MINUTE_MS, { duringWork: true });
    const entries = again.map(({ receiptHandle }) => ({ messageId: messageId ?? '', receiptHandle }));
    const ack = await client.call('ackMessage', { group: resource('g'), topic: resource('q'), entries });
    expect(ack.status?.message).toBe('OK');
  });
});

describe('a receipt handle of a delivery that the broker lost when it was killed', () => {
  it('settles nothing of what is stored in the same place afterwards', async () => {
    const options = { manualClock: true, topics: [{ name: 'q', queues: 1 }], groups: [{ name: 'g' }] };
    const before = await start({ ...options, flush: 'async' });
    // What is stored from here on is not on disk yet when the broker is killed.
    const after = await killed(before, options);
    const received = async (broker: TestBroker, body: string) => {
      const { producer } = await clientsOf(broker, 'q');
      await producer.send({ topic: 'q', body });
      const client = new RawClient(broker.endpoints, 'a consumer');
      closers.push(async () => client.close());
      await client.settle(consumerSettings('g', ClientType.PUSH_CONSUMER));
      const items = await client.receive(receiveRequest('q', 'g'));
      const [system] = items.flatMap(({ content }) =>
        content?.$case === 'message' ? [content.value.systemProperties] : [],
      );
      const { messageId = '', receiptHandle = '' } = system ?? {};
      return { client, entry: { messageId, receiptHandle } };
    };
    const lost = await received(before, 'lost');
    const kept = await received(after, 'kept');
    const settle = async (entry: typeof lost.entry) => {
      const resources = { group: resource('g'), topic: resource('q') };
      const { status } = await kept.client.call('ackMessage', { ...resources, entries: [entry] });
      return status?.code;
    };
    expect(await settle(lost.entry)).toBe(Code.INVALID_RECEIPT_HANDLE);
    expect(after.inFlight()).toMatchObject([{ group: 'g', body: Buffer.from('kept') }]);
    expect(await settle(kept.entry)).toBe(Code.OK);
  });
});

describe('a broker in memory', () => {
  it('rejects sends with a specific code while its messages reach the memory limit', async () => {
    const broker = await start({ data: undefined, maxMemoryBytes: 18_000 });
    const { producer, consumer } = await clientsOf(broker, 'orders');
    const send = () => producer.send({ topic: 'orders', body: Buffer.alloc(4_000) });
    for (let count = 0; count < 3; count++) await send();
    const full = { code: 'TOO_MANY_REQUESTS', retryable: true, message: /maxMemoryBytes/ };
    await expect(send()).rejects.toMatchObject(full);
    const connection = new Connection({ endpoints: broker.endpoints, clock: broker.clock });
    closers.push(async () => connection.close());
    const consumerOf = (consumerGroup: string) =>
      new SimpleConsumer(connection, { consumerGroup, subscriptions: [{ topic: 'orders' }] });
    const startMany = async (): Promise<void> => {
      for (let count = 0; count < 100; count++) {
        const newcomer = consumerOf(`group-${count}`);
        await newcomer.start({ timeoutMs: 2_000 });
        await newcomer.close();
      }
    };
    await expect(startMany()).rejects.toMatchObject(full);
    expect(await consumer.receive({ maxMessages: 3 })).not.toEqual([]);
  });

  it.each([
    [{ retentionMs: 0 }, 'retentionMs'],
    [{ retentionBytes: -1 }, 'retentionBytes'],
    [{ maxMemoryBytes: Number.NaN }, 'maxMemoryBytes'],
    [{ flush: 'never' as never }, 'flush'],
    [{ data: '' }, 'data'],
  ])('rejects %j', async (options, field) => {
    await expect(start(options)).rejects.toMatchObject({ outcome: 'not-sent', field });
  });
});

describe('retention', () => {
  it('deletes messages by age, consumed or not, but no delayed ones', async () => {
    const broker = await start({ manualClock: true, retentionMs: 10 * HOUR_MS, topics: [{ name: 'q', queues: 1 }] });
    const { producer, consumer } = await clientsOf(broker, 'q');
    for (const body of ['1', '2', '3']) await producer.send({ topic: 'q', body });
    await producer.send({ topic: 'late', body: 'late', delayMs: 20 * HOUR_MS });
    expect(bodies(await consumer.receive({ maxMessages: 1 }))).toEqual(['1']);
    await broker.advance(5 * HOUR_MS, { duringWork: true });
    await producer.send({ topic: 'q', body: '4' });
    await broker.advance(6 * HOUR_MS, { duringWork: true });
    expect(broker.messages('q')).toMatchObject([{ offset: 3, body: Buffer.from('4') }]);
    expect(bodies(await consumer.receive({ maxMessages: 10 }))).toEqual(['4']);
    expect(broker.inFlight()).toHaveLength(1);
    await broker.advance(10 * HOUR_MS, { duringWork: true });
    expect(broker.messages('late')).toHaveLength(1);
  });

  it('deletes the oldest messages when there are too many, and reuses their space', async () => {
    const broker = await start({ manualClock: true, flush: 'async', retentionBytes: 2_000_000 });
    const { producer } = await clientsOf(broker, 'q');
    const used: number[] = [];
    for (let round = 0; round < 8; round++) {
      const send = () => producer.send({ topic: 'q', body: Buffer.alloc(1_000, round) });
      await Promise.all(Array.from({ length: 1_000 }, send));
      await broker.advance(2 * MINUTE_MS, { duringWork: true });
      await broker.broker.inside.store.flush();
      used.push(broker.broker.inside.store.usedBytes());
    }
    // All bodies together; without reuse it is nearly twice as much. How soon space is free again depends on how many commits there are.
    expect(Math.max(...used)).toBeLessThan(8_000_000);
    expect(broker.messages('q').at(-1)?.body[0]).toBe(7);
    expect(broker.messages('q').every(({ body }) => (body[0] as number) >= 5)).toBe(true);
  });
});
