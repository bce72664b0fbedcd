// A broker that tests share: what it closes, what a reset deletes, and what stays.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Connection, PushConsumer } from '../entries/client.js';
import '../entries/testing/jest-globals.js';
import { Producer } from '../producer/producer.js';
import { MINUTE_MS, SECOND_MS } from '../support/clock.js';
import { TestBroker } from './test-broker.js';
import { beginTest, brokerByHooks, type TestHooks } from './test-scope.js';

describe('a shared broker', () => {
  let broker: TestBroker;
  beforeEach(async () => {
    broker = await TestBroker.start({ manualClock: true });
  });
  afterEach(() => broker.stop());

  async function connect(): Promise<{ connection: Connection; producer: Producer }> {
    const { endpoints, clock } = broker;
    const connection = broker.closeLater(new Connection({ endpoints, clock }));
    const producer = broker.closeLater(new Producer(connection));
    await producer.start();
    return { connection, producer };
  }

  async function consume(
    connection: Connection,
    handler: (text: string) => void | Promise<void>,
    consumerGroup = 'readers',
  ): Promise<PushConsumer> {
    const subscriptions = [{ topic: 'notes' }];
    const consumer = new PushConsumer(connection, {
      consumerGroup,
      subscriptions,
      handler: (message) => handler(message.body.toString()),
    });
    await consumer.start();
    return consumer;
  }

  it('delivers nothing of what was reset, and everything that is sent after it', async () => {
    const { connection } = await connect();
    const checker = async () => 'unknown' as const;
    const producer = broker.closeLater(new Producer(connection, { transactionCheckers: { half: checker } }));
    await producer.start();
    const got: string[] = [];
    const consumer = broker.closeLater(
      await consume(connection, (text) => {
        got.push(text);
        if (text === 'fails') throw new Error('on purpose');
      }),
    );
    await producer.send({ topic: 'notes', body: 'read' });
    await producer.send({ topic: 'notes', body: 'fails' });
    await producer.send({ topic: 'unread', body: 'waits' });
    await producer.send({ topic: 'later', body: 'tomorrow', delayMs: 60 * MINUTE_MS });
    const half = await producer.beginTransaction({ topic: 'half', body: 'open' });
    await broker.idle();
    expect(
      broker
        .pending()
        .map(({ kind }) => kind)
        .sort(),
    ).toEqual(['check', 'delayed', 'retry']);
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code: 'FORBIDDEN' } });
    const nowMs = broker.clock.nowMs();

    await broker.reset();
    expect(broker.pending()).toEqual([]);
    for (const topic of ['notes', 'unread', 'later', 'half']) expect(broker.messages(topic)).toEqual([]);
    await expect(broker).not.toHaveDelivered('notes');
    expect(broker.faults.list()).toEqual([]);
    expect(broker.clock.nowMs()).toBe(nowMs);
    got.length = 0;
    await broker.advance(120 * MINUTE_MS);
    expect(got).toEqual([]);
    expect(broker.messages('later')).toEqual([]);
    expect(await half.commit()).toBe('left-to-check');
    expect(broker.messages('half')).toEqual([]);

    await producer.send({ topic: 'notes', body: 'after the reset' });
    await producer.send({ topic: 'unread', body: 'after the reset' });
    await expect(broker).toHaveDelivered('notes', { body: 'after the reset', times: 1 });
    expect(got).toEqual(['after the reset']);
    await consumer.close();
    const late = broker.closeLater(await consume(connection, (text) => void got.push(text), 'late-readers'));
    await broker.idle();
    expect(got).toEqual(['after the reset', 'after the reset']);
    expect(late.isPaused()).toBe(false);
  });

  it('deletes messages of ordered queues, whose consumers receive the next ones', async () => {
    const { connection, producer } = await connect();
    broker.declareTopic({ name: 'notes', type: 'fifo' });
    broker.declareGroup({ name: 'ordered', fifo: true });
    const got: string[] = [];
    broker.closeLater(await consume(connection, (text) => void got.push(text), 'ordered'));
    for (const body of ['1', '2']) await producer.send({ topic: 'notes', body, messageGroup: 'one' });
    await broker.idle();
    await broker.reset();
    for (const body of ['3', '4']) await producer.send({ topic: 'notes', body, messageGroup: 'one' });
    await broker.idle();
    expect(got).toEqual(['1', '2', '3', '4']);
    expect(broker.messages('notes').map((message) => message.text())).toEqual(['3', '4']);
  });

  it('reports a handler that outlives the test; its acknowledgment is ignored', async () => {
    const { connection, producer } = await connect();
    let end = (): void => {};
    const isOver = new Promise<void>((resolve) => {
      end = resolve;
    });
    const got: string[] = [];
    broker.closeLater(
      await consume(connection, async (text) => {
        got.push(text);
        if (text === 'slow') await isOver;
      }),
    );
    await producer.send({ topic: 'notes', body: 'slow' });
    await expect(broker.reset()).rejects.toMatchObject({
      code: 'NOT_QUIET',
      message: expect.stringMatching(/group readers.*the messages were deleted/),
    });
    expect(broker.messages('notes')).toEqual([]);
    end();
    await producer.send({ topic: 'notes', body: 'next' });
    await expect(broker).toHaveDelivered('notes', { body: 'next' });
    await expect(broker).not.toHaveDelivered('notes', { body: 'slow' });
    expect(got).toEqual(['slow', 'next']);
  });

  it('reports a message that a consumer of an ordered group will handle again', async () => {
    const { connection, producer } = await connect();
    broker.declareTopic({ name: 'notes', type: 'fifo' });
    broker.declareGroup({ name: 'ordered', fifo: true });
    broker.closeLater(
      await consume(
        connection,
        () => {
          throw new Error('on purpose');
        },
        'ordered',
      ),
    );
    await producer.send({ topic: 'notes', messageId: 'kept', body: 'fails', messageGroup: 'one' });
    await broker.idle();
    await expect(broker.reset()).rejects.toMatchObject({
      code: 'MESSAGES_HELD',
      message: expect.stringContaining('ordered group ordered keeps message kept of "notes"'),
    });
    expect(broker.pending()).toEqual([]);
  });

  it('ends what a test that has timed out still waits for', async () => {
    const { connection, producer } = await connect();
    const endTest = beginTest(broker);
    expect(() => beginTest(broker)).toThrow('[TESTS_CONCURRENT]');
    const consumer = await consume(connection, () => new Promise(() => {}));
    broker.closeLater({ close: () => consumer.close({ shutdownGraceMs: 0 }) });
    await producer.send({ topic: 'notes', body: 'stuck' });
    const waiting = broker.advance(MINUTE_MS, { guardMs: 10 * MINUTE_MS });
    await Promise.all([expect(waiting).rejects.toMatchObject({ code: 'WAIT_ENDED' }), endTest()]);
    await beginTest(broker)();
  });

  it('closes what a test passed to closeLater, and reports what it left connected', async () => {
    const shared = await connect();
    const endFirst = beginTest(broker);
    const own = await connect();
    await endFirst();
    await expect(own.producer.send({ topic: 'notes', body: 'late' })).rejects.toMatchObject({ code: 'CLOSED' });
    await shared.producer.send({ topic: 'notes', body: 'still open' });

    const endSecond = beginTest(broker);
    const left = new Connection({ endpoints: broker.endpoints, clock: broker.clock });
    const consumer = await consume(left, () => {});
    await shared.producer.send({ topic: 'notes', body: 'leaks' });
    await broker.idle();
    await expect(endSecond()).rejects.toMatchObject({
      code: 'CLIENTS_LEFT',
      message: expect.stringContaining('closeLater()'),
    });
    await consumer.close();
    await left.close();
  });
});

describe('stop()', () => {
  it('does not close later what cannot be closed', async () => {
    const broker = await TestBroker.start();
    expect(() => broker.closeLater(undefined as never)).toThrow(
      '[ILLEGAL_ARGUMENT] closeLater: the resource must be something with close()',
    );
    await broker.stop();
  });

  it('closes the last first, each although another fails, then the broker', async () => {
    const broker = await TestBroker.start();
    const closed: string[] = [];
    const resource = (name: string, fails = false) => ({
      close: async () => {
        closed.push(`${name} while ${broker.endpoints === '' ? 'stopped' : 'running'}`);
        if (fails) throw new Error(`${name} cannot close`);
      },
    });
    expect(broker.closeLater(resource('first'))).toMatchObject({});
    broker.closeLater(resource('second', true));
    broker.closeLater(resource('third'));
    const stopping = broker.stop();
    expect(broker.stop()).toBe(stopping);
    await expect(stopping).rejects.toThrow('second cannot close');
    expect(closed).toEqual(['third while running', 'second while running', 'first while running']);
    const rejected = new Connection({ endpoints: broker.endpoints });
    const producer = new Producer(rejected);
    await expect(producer.start({ timeoutMs: SECOND_MS })).rejects.toThrow();
    await producer.close();
    await rejected.close();
    await broker.stop();
  });
});

describe('useTestBroker()', () => {
  /** Hooks that a test calls itself. */
  function hooks(): TestHooks & Record<keyof TestHooks, () => Promise<void>> {
    const works = new Map<string, () => Promise<void>>();
    const hook = (name: string) => (work?: () => Promise<void>) =>
      work === undefined ? works.get(name)?.() : void works.set(name, work);
    const names = ['beforeAll', 'beforeEach', 'afterEach', 'afterAll'];
    return Object.fromEntries(names.map((name) => [name, hook(name)])) as never;
  }

  it('starts a broker for each test, and has none between', async () => {
    const runner = hooks();
    const broker = brokerByHooks(runner);
    expect(broker).toThrow('[NO_TEST_BROKER]');
    await runner.beforeEach();
    const first = broker();
    await expect(runner.beforeEach()).rejects.toMatchObject({ code: 'TESTS_CONCURRENT' });
    await runner.afterEach();
    expect(broker()).toBe(first);
    await runner.afterEach();
    expect(broker).toThrow('[NO_TEST_BROKER]');
    await runner.beforeEach();
    expect(broker()).not.toBe(first);
    await runner.afterEach();
    await runner.afterEach();
  });

  it('shares a broker among the tests of a file', async () => {
    const runner = hooks();
    const broker = brokerByHooks(runner, { scope: 'file' });
    await runner.beforeAll();
    const first = broker();
    await runner.beforeEach();
    let closed = 0;
    first.closeLater({ close: () => void closed++ });
    await expect(runner.beforeEach()).rejects.toMatchObject({ code: 'TESTS_CONCURRENT' });
    await runner.afterEach();
    expect(closed).toBe(0);
    await runner.afterEach();
    expect(closed).toBe(1);
    await runner.beforeEach();
    expect(broker()).toBe(first);
    await runner.afterEach();
    await runner.afterAll();
    expect(broker).toThrow('[NO_TEST_BROKER]');
  });

  it('rejects another scope', () => {
    expect(() => brokerByHooks(hooks(), { scope: 'worker' as never })).toThrow(
      '[ILLEGAL_OPTION] useTestBroker: option scope must be test or file, not "worker"',
    );
  });
});
