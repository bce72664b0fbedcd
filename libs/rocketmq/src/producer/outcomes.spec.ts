// The results that callers get when a send, a recall or a start fails in any way.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ProducerBench } from '../../../../test/fixtures/producer-bench.js';
import type { Code } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { SystemClock } from '../support/clock.js';
import { type LogFields, silentLogger } from '../support/logger.js';
import { TestBroker } from '../testing/test-broker.js';
import { Producer } from './producer.js';
import type { ProducerOptions } from './producer-options.js';
import type { SendInterceptor } from './sending/interceptors.js';

/** The server stopped waiting: nobody knows. */
const DOUBTFUL: readonly (keyof typeof Code)[] = [
  'PROXY_TIMEOUT',
  'INTERNAL_SERVER_ERROR',
  'INTERNAL_ERROR',
  'REQUEST_TIMEOUT',
];

describe('the result for the caller', () => {
  let bench: ProducerBench;
  let broker: TestBroker;
  /** Called when an attempt failed and another one is to follow. */
  let onFailedAttempt: (failures: number) => void;

  beforeEach(async () => {
    const topics = [
      { name: 'orders' },
      { name: 'payments', type: 'transaction' as const },
      { name: 'timeouts', type: 'delay' as const },
    ];
    onFailedAttempt = () => {};
    const debug = (_: string, fields: LogFields = {}): void => onFailedAttempt(Number(fields.failures));
    bench = await ProducerBench.start({ topics, recallEnabled: true }, { logger: { ...silentLogger, debug } });
    broker = bench.broker;
  });

  afterEach(() => bench.close());

  const newProducer = (options?: ProducerOptions): Producer => bench.newProducer(options);

  const order = { topic: 'orders', body: 'one' };
  const ids = (): string[] => broker.messages('orders').map(({ messageId }) => messageId);
  const sendFault = (code: keyof typeof Code, times: number): void => {
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code }, times });
  };

  describe.each(DOUBTFUL)('when the server answers %s', (code) => {
    it('is the receipt of a later attempt, under the same id', async () => {
      sendFault(code, 2);
      const { messageId } = await newProducer().send({ ...order, messageId: 'ORDER-7' });
      expect([messageId, ...ids()]).toEqual(['ORDER-7', 'ORDER-7']);
    });

    it('is an unknown outcome when every attempt ends like that', async () => {
      sendFault(code, 3);
      await expect(newProducer().send(order)).rejects.toMatchObject({ code, outcome: 'unknown', retryable: true });
    });

    it('is an unknown outcome for a half message, which is not sent again', async () => {
      sendFault(code, 1);
      const producer = newProducer({ transactionCheckers: { payments: () => 'rollback' } });
      const beginning = producer.beginTransaction({ topic: 'payments', body: 'x' });
      await expect(beginning).rejects.toMatchObject({ code, outcome: 'unknown' });
      expect(broker.halfMessages()).toEqual([]);
    });
  });

  describe('when the answer of every attempt is lost', () => {
    it('is an unknown outcome, and the message is stored', async () => {
      broker.faults.add({ rpc: 'sendMessage', action: { kind: 'dropResponse' }, times: 3 });
      await expect(newProducer().send(order)).rejects.toMatchObject({ code: 'UNAVAILABLE', outcome: 'unknown' });
      expect(new Set(ids()).size).toBe(1);
    });
  });

  describe('when the connection is cut', () => {
    it('during the send is the receipt of another attempt', async () => {
      const producer = newProducer();
      await producer.send(order);
      broker.faults.add({ rpc: 'sendMessage', action: { kind: 'delay', delayMs: 50 } });
      const sending = producer.send({ ...order, messageId: 'CUT' });
      setTimeout(() => broker.faults.cutConnections(), 10);
      expect((await sending).messageId).toBe('CUT');
      expect(ids()).toContain('CUT');
    });

    it('before anything was written is "not sent", at the deadline', async () => {
      const letIn = broker.faults.refuseConnections();
      const sending = newProducer().send({ ...order, messageId: 'LATE' }, { timeoutMs: 200 });
      await expect(sending).rejects.toMatchObject({ outcome: 'not-sent', retryable: true });
      letIn();
      await newProducer().send({ ...order, messageId: 'NEXT' });
      expect(ids()).toEqual(['NEXT']);
    });
  });

  describe('that aborts between two attempts', () => {
    it('is its own reason, and no attempt follows', async () => {
      sendFault('TOO_MANY_REQUESTS', 1_000);
      const producer = newProducer({ maxAttempts: 1_000 });
      const caller = new AbortController();
      // Called when an attempt was answered: the pause before the next one starts in the following turn.
      const leave = (): void => void setImmediate(() => caller.abort(new Error('the customer left')));
      onFailedAttempt = (failures) => {
        if (failures === 3) leave();
      };
      await expect(producer.send(order, { signal: caller.signal, timeoutMs: 60_000 })).rejects.toThrow('customer left');
      broker.faults.clear();
      await producer.send({ ...order, messageId: 'NEXT' });
      expect(ids()).toEqual(['NEXT']);
    });

    it('is its own reason while no server is available', async () => {
      const producer = newProducer();
      await producer.send(order);
      await broker.stop();
      const caller = new AbortController();
      const sending = producer.send(order, { signal: caller.signal, timeoutMs: 60_000 });
      setTimeout(() => caller.abort(new Error('the customer left')), 50);
      await expect(sending).rejects.toThrow('the customer left');
    });
  });

  it('of a send whose time is almost over before it reaches the server is "not sent"', async () => {
    let busyMs = 0;
    const busy: SendInterceptor = (message, next) => {
      const endsAtMs = performance.now() + busyMs;
      while (performance.now() < endsAtMs);
      return next(message);
    };
    const producer = newProducer({ interceptors: [busy] });
    await producer.send(order);
    busyMs = 496;
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'dropResponse' } });
    const sending = producer.send(order, { timeoutMs: 500 });
    await expect(sending).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', outcome: 'not-sent', retryable: true });
    expect(ids()).toHaveLength(1);
  });

  it('of a send that reached the server with little time left is no reason to avoid the server', async () => {
    const connection = { clock: new SystemClock(), requestTimeoutMs: 2_000 };
    const warnings: string[] = [];
    const logger = { ...silentLogger, warn: (text: string) => void warnings.push(text) };
    const own = await ProducerBench.start({ topics: [{ name: 'orders' }] }, { ...connection, logger });
    own.broker.faults.add({ rpc: 'queryRoute', action: { kind: 'delay', delayMs: 1_500 } });
    own.broker.faults.add({ rpc: 'sendMessage', action: { kind: 'delay', delayMs: 60_000 } });
    const sending = own.newProducer().send(order, { timeoutMs: 2_000 });
    await expect(sending).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    await own.close();
    expect(warnings).toEqual([]);
  });

  describe('of a recall whose answer was lost', () => {
    it('is the answer to the second one', async () => {
      const producer = newProducer();
      const { messageId, recallHandle = '' } = await producer.send({ topic: 'timeouts', body: 'x', delayMs: 60_000 });
      broker.faults.add({ rpc: 'recallMessage', action: { kind: 'dropResponse' } });
      expect(await producer.recall({ topic: 'timeouts', recallHandle })).toEqual({ messageId });
      expect(broker.waiting()).toEqual([]);
    });

    it('is an unknown outcome when no answer arrives in time', async () => {
      const producer = newProducer();
      const { recallHandle = '' } = await producer.send({ topic: 'timeouts', body: 'x', delayMs: 60_000 });
      broker.faults.add({ rpc: 'recallMessage', action: { kind: 'dropResponse' }, times: 1_000 });
      const recalling = producer.recall({ topic: 'timeouts', recallHandle }, { timeoutMs: 1_000 });
      await expect(recalling).rejects.toMatchObject({ outcome: 'unknown' });
    });

    it('is the rejection, immediately, when the server rejects', async () => {
      const producer = newProducer();
      const { recallHandle = '' } = await producer.send({ topic: 'timeouts', body: 'x', delayMs: 60_000 });
      broker.faults.add({ rpc: 'recallMessage', action: { kind: 'answer', code: 'INTERNAL_SERVER_ERROR' } });
      const recalling = producer.recall({ topic: 'timeouts', recallHandle });
      await expect(recalling).rejects.toThrow('recallMessageEnable');
      expect(broker.waiting()).toHaveLength(1);
    });
  });

  describe('of a start while no server is available', () => {
    it('is the connection failure at its deadline, and nothing stays open', async () => {
      await broker.stop();
      const producer = newProducer({ topics: { orders: 'normal' } });
      const starting = producer.start({ timeoutMs: 300 });
      await expect(starting).rejects.toMatchObject({ code: 'UNAVAILABLE', outcome: 'not-sent', retryable: true });
      await expect(starting).rejects.toThrow(broker.endpoints);
      const advice = /did not start \(\[UNAVAILABLE\].*create a new one to try again/s;
      await expect(producer.send(order)).rejects.toThrow(advice);
      const again = producer.start();
      await expect(again).rejects.toMatchObject({ code: 'CLOSED', retryable: false, cause: { code: 'UNAVAILABLE' } });
      await expect(again).rejects.toThrow(advice);
      await producer.close();
      await producer.close();
    });

    it('is success when the server becomes available in time', async () => {
      await broker.stop();
      const producer = newProducer({ topics: { orders: 'normal' } });
      let hasEnded = false;
      const starting = producer.start({ timeoutMs: 20_000 }).finally(() => {
        hasEnded = true;
      });
      await new Promise((resolve) => setTimeout(resolve, 150));
      expect(hasEnded).toBe(false);
      await broker.broker.start();
      await starting;
      await producer.send(order);
      expect(ids()).toHaveLength(1);
    });

    it('is the reason of a caller that aborts', async () => {
      await broker.stop();
      const caller = new AbortController();
      const producer = newProducer({ topics: { orders: 'normal' } });
      const starting = producer.start({ timeoutMs: 60_000, signal: caller.signal });
      setTimeout(() => caller.abort(new Error('deploy stopped')), 50);
      await expect(starting).rejects.toThrow('deploy stopped');
    });
  });

  it('of a start after the close is that it is closed', async () => {
    const producer = newProducer();
    await producer.close();
    await expect(producer.start()).rejects.toMatchObject({ code: 'CLOSED', outcome: 'not-sent' });
  });

  it('of a close while sends of every kind are in flight comes when all have ended', async () => {
    const producer = newProducer({ transactionCheckers: { payments: () => 'commit' } });
    await producer.send(order);
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'delay', delayMs: 50 }, times: 4 });
    const ended: string[] = [];
    const note = (what: string) => (): void => void ended.push(what);
    void producer.send(order).then(note('send'));
    void producer.sendBatch([order]).then(note('batch'));
    void producer.beginTransaction({ topic: 'payments', body: 'x' }).then(note('half'));
    await producer.sendOneway(order);
    await producer.close();
    expect([ended.sort(), ids().length, broker.halfMessages().length]).toEqual([['batch', 'half', 'send'], 4, 1]);
  });
});
