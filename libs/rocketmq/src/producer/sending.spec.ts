import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ProducerBench } from '../../../../test/fixtures/producer-bench.js';
import { TestBroker } from '../testing/test-broker.js';
import { Producer } from './producer.js';
import type { ProducerOptions } from './producer-options.js';

/** Longer than the deadlines here, and over before the suite is judged. */
const SLOW = { kind: 'delay', delayMs: 300 } as const;

describe('a producer', () => {
  let bench: ProducerBench;
  let broker: TestBroker;

  beforeEach(async () => {
    bench = await ProducerBench.start({ topics: [{ name: 'orders' }], recallEnabled: true });
    broker = bench.broker;
  });

  afterEach(() => bench.close());

  const newProducer = (options?: ProducerOptions): Producer => bench.newProducer(options);

  const ids = (): string[] => broker.messages('orders').map(({ messageId }) => messageId);
  const order = { topic: 'orders', body: 'one' };

  describe('that sends', () => {
    it('retries with the same id when the answer was lost', async () => {
      broker.faults.add({ rpc: 'sendMessage', action: { kind: 'dropResponse' } });
      const { messageId } = await newProducer().send(order);
      expect(ids()).toEqual([messageId, messageId]);
    });

    it('keeps the message id that the caller passes', async () => {
      const { messageId } = await newProducer().send({ ...order, messageId: 'ORDER-7' });
      expect([messageId, ...ids()]).toEqual(['ORDER-7', 'ORDER-7']);
    });

    it('backs off from a busy server, and succeeds then', async () => {
      broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code: 'TOO_MANY_REQUESTS' }, times: 2 });
      const { messageId } = await newProducer().send(order);
      expect(ids()).toEqual([messageId]);
    });

    it('gives up on a server that stays busy, and nothing was stored', async () => {
      broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code: 'TOO_MANY_REQUESTS' }, times: 9 });
      const sending = newProducer({ maxAttempts: 2 }).send(order);
      await expect(sending).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS', outcome: 'rejected' });
      expect(ids()).toEqual([]);
    });

    it('does not retry what the server rejected', async () => {
      broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code: 'FORBIDDEN', message: 'read only' } });
      const producer = newProducer();
      await expect(producer.send(order)).rejects.toMatchObject({ code: 'FORBIDDEN', outcome: 'rejected' });
      expect(ids()).toEqual([]);
      await producer.send(order);
      expect(ids()).toHaveLength(1);
    });

    it.each([
      // By the code for which nothing is known of the message. test/secured sees a real server do it.
      ['that the proxy allows', 'INTERNAL_SERVER_ERROR'],
      ['without a proxy', 'BAD_REQUEST'],
    ] as const)('reports a delay %s and the broker rejects as too far ahead, after one attempt', async (_, code) => {
      const message = 'timer message illegal, the delay time should not be bigger than the max delay 259200000ms';
      const action = { kind: 'answer', code, message } as const;
      broker.faults.add({ rpc: 'sendMessage', action });
      await expect(newProducer().send(order)).rejects.toMatchObject({
        code: 'ILLEGAL_DELIVERY_TIME',
        outcome: 'rejected',
        retryable: false,
        message: expect.stringContaining('timerMaxDelaySec'),
      });
      expect(ids()).toEqual([]);
    });

    it('never reports that nothing was stored after an attempt that may have stored the message', async () => {
      broker.faults.add({ rpc: 'sendMessage', action: { kind: 'dropResponse' } });
      broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code: 'FORBIDDEN' } });
      await expect(newProducer().send(order)).rejects.toMatchObject({ outcome: 'unknown' });
      expect(ids()).toHaveLength(1);
    });

    it('fails at its deadline with an unknown outcome', async () => {
      const producer = newProducer();
      await producer.send(order);
      broker.faults.add({ rpc: 'sendMessage', action: SLOW });
      const sending = producer.send(order, { timeoutMs: 30 });
      await expect(sending).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', outcome: 'unknown' });
    });

    it('reports "not sent" when its deadline passes during the route request', async () => {
      broker.faults.add({ rpc: 'queryRoute', action: SLOW });
      const sending = newProducer().send(order, { timeoutMs: 30 });
      await expect(sending).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', outcome: 'not-sent' });
      await expect(sending).rejects.toThrow('the route of topic "orders" could not be fetched');
    });

    it("rejects with the caller's reason when the caller aborts", async () => {
      const producer = newProducer();
      await producer.send(order);
      broker.faults.add({ rpc: 'sendMessage', action: SLOW });
      const caller = new AbortController();
      const sending = producer.send(order, { signal: caller.signal });
      setImmediate(() => caller.abort(new Error('the customer left')));
      await expect(sending).rejects.toThrow('the customer left');
    });

    it('sends nothing for a caller that had aborted before', async () => {
      const sending = newProducer().send(order, { signal: AbortSignal.abort(new Error('too late')) });
      await expect(sending).rejects.toThrow('too late');
      expect(ids()).toEqual([]);
    });

    it('requests a route once, however many senders wait for it', async () => {
      broker.faults.add({ rpc: 'queryRoute', action: { kind: 'answer', code: 'TOPIC_NOT_FOUND' }, times: 2 });
      const producer = newProducer();
      const sends = await Promise.allSettled(['a', 'b', 'c'].map((body) => producer.send({ ...order, body })));
      expect(sends.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
      // The second rejection was not used: the three sends shared the first.
      await expect(producer.send(order)).rejects.toMatchObject({ code: 'TOPIC_NOT_FOUND' });
      await producer.send(order);
    });
  });

  describe('that recalls', () => {
    it('says what to enable when the server rejects', async () => {
      broker.declareTopic({ name: 'timeouts', type: 'delay' });
      const producer = newProducer();
      const { recallHandle = '' } = await producer.send({ topic: 'timeouts', body: 'x', delayMs: 60_000 });
      broker.faults.add({ rpc: 'recallMessage', action: { kind: 'answer', code: 'INTERNAL_SERVER_ERROR' } });
      await expect(producer.recall({ topic: 'timeouts', recallHandle })).rejects.toThrow('recallMessageEnable');
      expect(broker.waiting()).toHaveLength(1);
      await producer.recall({ topic: 'timeouts', recallHandle });
      expect(broker.waiting()).toEqual([]);
    });
  });

  describe('that starts and ends', () => {
    it('returns the first result of a start or a close to later calls', async () => {
      const producer = newProducer({ topics: { orders: 'normal' } });
      expect(producer.start()).toBe(producer.start());
      await producer.start();
      expect(producer.close()).toBe(producer.close());
      await producer.close();
    });

    it('rejects calls after its close, and says that nothing was sent', async () => {
      const producer = newProducer({ transactionCheckers: { orders: () => 'commit' } });
      await producer.close();
      const rejected = { code: 'CLOSED', outcome: 'not-sent' };
      await expect(producer.send(order)).rejects.toMatchObject(rejected);
      await expect(producer.start()).rejects.toMatchObject(rejected);
      await expect(producer.beginTransaction(order)).rejects.toMatchObject(rejected);
      let ran = false;
      const transaction = producer.transact({}, async () => {
        ran = true;
      });
      await expect(transaction).rejects.toMatchObject(rejected);
      expect(ran).toBe(false);
    });

    it('aborts a start in progress when it closes', async () => {
      broker.faults.add({ rpc: 'queryRoute', action: SLOW });
      const producer = newProducer({ topics: { orders: 'normal' } });
      const rejected = expect(producer.start()).rejects.toMatchObject({ code: 'CLOSED' });
      await producer.close();
      await rejected;
    });

    it('aborts a start whose server is unavailable when it closes, without waiting for it', async () => {
      await broker.stop();
      const producer = newProducer({ topics: { orders: 'normal' } });
      const rejected = expect(producer.start({ timeoutMs: 60_000 })).rejects.toMatchObject({ code: 'CLOSED' });
      await producer.close();
      await rejected;
    });

    it("fails its start with the server's reason when its settings are rejected, and leaves nothing open", async () => {
      const action = { kind: 'answer', code: 'ILLEGAL_TOPIC', message: 'no such settings here' } as const;
      broker.faults.add({ rpc: 'telemetry', action });
      const producer = newProducer({ topics: { orders: 'normal' } });
      await expect(producer.start()).rejects.toThrow('no such settings here');
      await expect(producer.start()).rejects.toThrow('no such settings here');
      await expect(producer.send(order)).rejects.toThrow('the producer did not start ([ILLEGAL_TOPIC]');
    });

    it('waits at its close for sends in flight', async () => {
      const producer = newProducer();
      await producer.send(order);
      broker.faults.add({ rpc: 'sendMessage', action: { kind: 'delay', delayMs: 20 } });
      const sending = producer.send(order);
      await producer.close();
      await sending;
      expect(ids()).toHaveLength(2);
    });

    it('names an invalid option', async () => {
      expect(() => newProducer({ maxAttempts: 1.5 })).toThrow('option maxAttempts must be an integer');
      await expect(newProducer().start({ timeoutMs: 0 })).rejects.toThrow('option timeoutMs');
    });
  });
});
