import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Connection } from '../client/connection.js';
import { TestBroker } from '../testing/test-broker.js';
import { Producer } from './producer.js';

describe('a producer of priority messages', () => {
  let broker: TestBroker;
  let connection: Connection;
  let producer: Producer;

  beforeEach(async () => {
    const topics = [{ name: 'tickets', type: 'priority' as const }, { name: 'orders' }];
    broker = await TestBroker.start({ strict: true, topics });
    connection = new Connection({ endpoints: broker.endpoints });
    producer = new Producer(connection, { transactionCheckers: { tickets: () => 'commit' } });
  });

  afterEach(async () => {
    await producer.close();
    connection.close();
    await broker.stop();
  });

  const ticket = { topic: 'tickets', body: 'one' };
  const group = { messageGroup: 'g' };

  it('sends the priority, including 0', async () => {
    for (const priority of [0, 7]) await producer.send({ ...ticket, priority });
    // The broker rejects a message without a priority on this topic.
    expect(broker.messages('tickets')).toHaveLength(2);
  });

  it.each([-1, 0.5, Number.NaN, 2 ** 31])('rejects a priority of %p before sending', async (priority) => {
    const rejected = { code: 'ILLEGAL_PRIORITY', field: 'priority', outcome: 'not-sent' };
    await expect(producer.send({ ...ticket, priority })).rejects.toMatchObject(rejected);
  });

  it.each([group, { delayMs: 1 }, { deliverAt: new Date(0) }])('rejects a priority together with %p', async (other) => {
    const rejected = { code: 'PRIORITY_WITH_OTHER_TYPE', outcome: 'not-sent' };
    await expect(producer.send({ ...ticket, ...other, priority: 1 })).rejects.toMatchObject(rejected);
  });

  it('rejects a priority in a transaction, and on a topic of another type', async () => {
    const half = producer.beginTransaction({ ...ticket, priority: 1 });
    await expect(half).rejects.toMatchObject({ code: 'ILLEGAL_TRANSACTION', field: 'priority' });
    const sending = producer.send({ topic: 'orders', body: 'one', priority: 1 });
    await expect(sending).rejects.toMatchObject({ code: 'TOPIC_TYPE_MISMATCH' });
    expect([...broker.messages('tickets'), ...broker.messages('orders')]).toEqual([]);
  });
});
