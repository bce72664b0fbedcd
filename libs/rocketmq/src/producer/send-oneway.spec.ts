import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ProducerBench } from '../../../../test/fixtures/producer-bench.js';
import { silentLogger } from '../support/logger.js';
import { TestBroker } from '../testing/test-broker.js';
import { Producer } from './producer.js';
import type { ProducerOptions } from './producer-options.js';

const broken = (): never => {
  throw new Error('no disk left');
};

describe('a one-way send', () => {
  let bench: ProducerBench;
  let broker: TestBroker;
  let warnings: string[];

  beforeEach(async () => {
    warnings = [];
    const logger = { ...silentLogger, warn: (text: string) => void warnings.push(text) };
    bench = await ProducerBench.start({ topics: [{ name: 'orders' }] }, { logger });
    broker = bench.broker;
  });

  afterEach(() => bench.close());

  const newProducer = (options?: ProducerOptions): Producer => bench.newProducer(options);

  const order = { topic: 'orders', body: 'one', messageId: 'ORDER-1' };
  const stored = (): string[] => broker.messages('orders').map(({ messageId }) => messageId);

  it('does not wait for the server, and is retried like any other send', async () => {
    const producer = newProducer();
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code: 'TOO_MANY_REQUESTS' } });
    await producer.sendOneway(order);
    expect(stored()).toEqual([]);
    await producer.close();
    expect([stored(), warnings]).toEqual([['ORDER-1'], []]);
  });

  it('logs a failure and calls the event handler', async () => {
    const failed: unknown[] = [];
    const producer = newProducer({ events: { onOnewayFailed: (message, error) => failed.push([message, error]) } });
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code: 'FORBIDDEN' } });
    await producer.sendOneway(order);
    await producer.close();
    expect(failed).toMatchObject([
      [
        { topic: 'orders', messageId: 'ORDER-1' },
        { code: 'FORBIDDEN', outcome: 'rejected' },
      ],
    ]);
    expect(warnings).toEqual(['a one-way send failed']);
  });

  it.each([
    ['throws', broken],
    ['rejects', async () => broken()],
  ])('fails without side effects when the event handler %s', async (_, onOnewayFailed) => {
    const producer = newProducer({ events: { onOnewayFailed } });
    await producer.sendOneway({ ...order, topic: 'missing' });
    await producer.close();
    expect(warnings).toEqual(['a one-way send failed']);
  });

  it('is rejected immediately when the message is invalid or the producer is closed', async () => {
    const producer = newProducer();
    await expect(producer.sendOneway({ ...order, body: '' })).rejects.toMatchObject({ code: 'MESSAGE_BODY_EMPTY' });
    await producer.close();
    await expect(producer.sendOneway(order)).rejects.toMatchObject({ code: 'CLOSED', outcome: 'not-sent' });
  });
});
