import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ProducerBench } from '../../../../../test/fixtures/producer-bench.js';
import { TestBroker } from '../../testing/test-broker.js';
import { Producer } from '../producer.js';
import type { ProducerOptions } from '../producer-options.js';

describe('a producer that has reached its limit of messages in flight', () => {
  let bench: ProducerBench;
  let broker: TestBroker;

  beforeEach(async () => {
    const topics = [{ name: 'orders' }, { name: 'payments', type: 'transaction' as const }];
    bench = await ProducerBench.start({ topics });
    broker = bench.broker;
  });

  afterEach(() => bench.close());

  /** One message fills it; the first stays in flight for long enough. */
  function fullOne(options: ProducerOptions): { producer: Producer; first: Promise<unknown> } {
    const producer = bench.newProducer(options);
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'delay', delayMs: 100 } });
    return { producer, first: producer.send(order('first')) };
  }

  const order = (body: string) => ({ topic: 'orders', body });
  const bodies = (): string[] => broker.messages('orders').map(({ body }) => body.toString());
  const rejected = { code: 'TOO_MANY_IN_FLIGHT', outcome: 'not-sent', retryable: true };

  it('lets a send wait for room, in the order of the calls', async () => {
    const { producer } = fullOne({ maxInFlight: 1 });
    await Promise.all(['a', 'b', 'c'].map((body) => producer.send(order(body))));
    expect(bodies()).toEqual(['first', 'a', 'b', 'c']);
  });

  it('counts the bytes of bodies, too', async () => {
    const { producer, first } = fullOne({ maxInFlightBytes: 6, whenFull: 'reject' });
    await expect(producer.send(order('ab'))).rejects.toMatchObject(rejected);
    await Promise.all([first, producer.send(order('a'))]);
    await producer.send(order('larger than all of it'));
    expect(bodies()).toHaveLength(3);
  });

  it('ends the wait at the deadline of the send, and nothing was sent', async () => {
    const { producer, first } = fullOne({ maxInFlight: 1 });
    const late = producer.send(order('late'), { timeoutMs: 20 });
    await expect(late).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', outcome: 'not-sent' });
    await expect(late).rejects.toThrow('maxInFlight (1)');
    await first;
    await producer.send(order('next'));
    expect(bodies()).toEqual(['first', 'next']);
  });

  it("ends the wait when the caller aborts, with the caller's reason", async () => {
    const { producer, first } = fullOne({ maxInFlight: 1 });
    const caller = new AbortController();
    const sending = producer.send(order('a'), { signal: caller.signal });
    setImmediate(() => caller.abort(new Error('the customer left')));
    await expect(sending).rejects.toThrow('the customer left');
    await first;
    expect(bodies()).toEqual(['first']);
  });

  it('rejects immediately with whenFull "reject", including one-way sends and half messages, until there is room', async () => {
    const transactionCheckers = { payments: () => 'commit' as const };
    const { producer, first } = fullOne({ maxInFlight: 1, whenFull: 'reject', transactionCheckers });
    await expect(producer.send(order('a'))).rejects.toMatchObject(rejected);
    await expect(producer.sendOneway(order('b'))).rejects.toMatchObject(rejected);
    await expect(producer.beginTransaction({ topic: 'payments', body: 'c' })).rejects.toMatchObject(rejected);
    await first;
    await producer.sendOneway(order('d'));
    await producer.close();
    expect(bodies()).toEqual(['first', 'd']);
  });

  it('lets the messages of a batch wait even when it rejects others', async () => {
    const { producer } = fullOne({ maxInFlight: 1, whenFull: 'reject' });
    const outcomes = await producer.sendBatch([order('a'), order('b')]);
    expect(outcomes.map(({ status }) => status)).toEqual(['sent', 'sent']);
    expect(bodies()).toEqual(['first', 'a', 'b']);
  });

  it('accepts a one-way message only when there is room for it, and releases the room when it fails', async () => {
    const { producer } = fullOne({ maxInFlight: 1 });
    await producer.sendOneway({ topic: 'missing', body: 'x' });
    expect(bodies()).toEqual(['first']);
    await producer.send(order('a'));
    expect(bodies()).toEqual(['first', 'a']);
  });

  it('waits at its close for sends that wait for room', async () => {
    const { producer } = fullOne({ maxInFlight: 1 });
    const [waiting, oneway] = [producer.send(order('a')), producer.sendOneway(order('b'))];
    await producer.close();
    await Promise.all([waiting, oneway]);
    expect(bodies()).toEqual(['first', 'a', 'b']);
  });

  it('names an invalid option', () => {
    expect(() => new Producer(bench.connection, { maxInFlight: 0 })).toThrow('option maxInFlight');
    expect(() => new Producer(bench.connection, { maxInFlightBytes: 1.5 })).toThrow('option maxInFlightBytes');
    expect(() => new Producer(bench.connection, { whenFull: 'drop' as 'wait' })).toThrow('option whenFull');
  });
});
