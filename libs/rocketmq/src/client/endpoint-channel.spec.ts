import { afterEach, describe, expect, it } from '@jest/globals';
import { forwardTo, type TcpForwarder } from '../../../../test/support/tcp-forwarder.js';
import { Producer, type ProducerOptions } from '../producer/producer.js';
import type { TransactionIdentity } from '../producer/transaction.js';
import { TestBroker, type TestBrokerOptions } from '../testing/test-broker.js';
import { Connection } from './connection.js';

const TOPICS = [{ name: 'orders', type: 'transaction' as const }, { name: 'plain' }];
/** Nothing listens there. */
const DEAD = '127.0.0.1:1';

describe('an endpoint with several addresses', () => {
  const ends: (() => Promise<void> | void)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  async function broker(options: TestBrokerOptions = {}): Promise<{ broker: TestBroker; forwarder: TcpForwarder }> {
    const started = await TestBroker.start({ strict: true, topics: TOPICS, manualClock: true, ...options });
    const forwarder = await forwardTo(Number(started.endpoints.split(':')[1]));
    ends.push(
      () => started.stop(),
      () => forwarder.close(),
    );
    return { broker: started, forwarder };
  }

  async function producerOf(endpoints: string, options: ProducerOptions = {}): Promise<Producer> {
    const connection = new Connection({ endpoints, useBootstrapEndpoints: true });
    const producer = new Producer(connection, { transactionCheckers: { orders: () => 'commit' }, ...options });
    ends.push(
      () => connection.close(),
      () => producer.close(),
    );
    await producer.start();
    return producer;
  }

  const order = { topic: 'orders', body: 'one' };

  it('is used on the first that is alive, by one connection for everything', async () => {
    const { broker: alive, forwarder } = await broker();
    const producer = await producerOf(`${DEAD};127.0.0.1:${forwarder.port}`);
    await producer.transact({ message: order }, async () => {});
    await producer.transact({ message: order }, async () => {});
    expect(alive.messages('orders')).toHaveLength(2);
    expect(forwarder.connections()).toBe(1);
  });

  it('moves to the next address with everything, settings too, when one is gone', async () => {
    const [first, second] = [await broker(), await broker()];
    const producer = await producerOf(`127.0.0.1:${first.forwarder.port};127.0.0.1:${second.forwarder.port}`);
    await producer.send({ topic: 'plain', body: 'to the first' });
    await first.forwarder.close();
    await producer.send({ topic: 'plain', body: 'to the second' });
    await producer.transact({ message: order }, async () => {});
    const bodies = (one: TestBroker): string[] => one.messages('plain').map(({ body }) => body.toString());
    expect([bodies(first.broker), bodies(second.broker)]).toEqual([['to the first'], ['to the second']]);
    expect(second.broker.messages('orders')).toHaveLength(1);
    expect(second.forwarder.connections()).toBe(1);
  });

  it('takes its telemetry along when only one call found the address gone', async () => {
    const quick = { manualClock: false, transactionFirstCheckMs: 50, transactionCheckIntervalMs: 200 };
    const [first, second] = [await broker(quick), await broker(quick)];
    const { promise: checked, onChecked } = nextCheck();
    const producer = await producerOf(`${first.broker.endpoints};${second.broker.endpoints}`, {
      events: { onChecked },
    });
    first.broker.faults.add({ rpc: 'sendMessage', action: { kind: 'dropResponse' } });
    await expect(producer.beginTransaction(order)).rejects.toMatchObject({ outcome: 'unknown' });
    second.broker.faults.add({ rpc: 'endTransaction', action: { kind: 'answer', code: 'INTERNAL_SERVER_ERROR' } });
    await producer.transact({ message: order }, async () => {});
    // Its end was refused, so the second server asks, and can ask only over a stream of its own.
    const { messageId } = await checked;
    expect(second.broker.halfMessages().concat(second.broker.messages('orders') as never)).toMatchObject([
      { messageId },
    ]);
  });
});

function nextCheck(): { promise: Promise<TransactionIdentity>; onChecked(transaction: TransactionIdentity): void } {
  let onChecked = (_: TransactionIdentity): void => {};
  const promise = new Promise<TransactionIdentity>((resolve) => {
    onChecked = resolve;
  });
  return { promise, onChecked: (transaction) => onChecked(transaction) };
}
