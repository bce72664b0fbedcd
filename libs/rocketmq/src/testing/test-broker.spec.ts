import { afterEach, describe, expect, it } from '@jest/globals';
import {
  consumerSettings,
  message,
  producerSettings,
  RawClient,
  receiveRequest,
  resource,
} from '../../../../test/support/raw-grpc-client.js';
import { toDuration } from '../protocol/duration.js';
import { MessageType, TransactionResolution } from '../protocol/generated/apache/rocketmq/v2/definition.js';
import { MINUTE_MS } from '../support/clock.js';
import { TestBroker, type TestBrokerOptions } from './test-broker.js';

describe('TestBroker', () => {
  let broker: TestBroker;
  const clients: RawClient[] = [];

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await broker.stop();
  });

  async function start(options: TestBrokerOptions = { manualClock: true }): Promise<void> {
    broker = await TestBroker.start(options);
  }

  function client(clientId: string): RawClient {
    const made = new RawClient(broker.endpoints, clientId);
    clients.push(made);
    return made;
  }

  it('lets a delayed message become visible at its time, not before', async () => {
    await start();
    const deliveryTimestamp = new Date(broker.clock.nowMs() + 30 * MINUTE_MS);
    await client('producer').call('sendMessage', { messages: [message('later', 'id-1', { deliveryTimestamp })] });
    expect(broker.waiting()).toMatchObject([
      { kind: 'delayed', messageId: 'id-1', dueAtMs: deliveryTimestamp.getTime() },
    ]);
    await broker.advance(30 * MINUTE_MS - 1);
    expect(broker.messages('later')).toEqual([]);
    await broker.advance(1);
    expect(broker.messages('later')).toMatchObject([
      { messageId: 'id-1', topic: 'later', properties: { colour: 'grün' } },
    ]);
  });

  it('does not move time while a consumer holds a message, and names it', async () => {
    await start();
    const consumer = client('consumer');
    await consumer.settle(consumerSettings('holders'));
    await client('producer').call('sendMessage', { messages: [message('held', 'id-1')] });
    await consumer.receive(receiveRequest('held', 'holders'));
    const before = broker.clock.nowMs();
    await expect(broker.advance(MINUTE_MS, { guardMs: 50 })).rejects.toThrow(
      'message id-1 of topic held, attempt 1, at a consumer of group holders',
    );
    expect(broker.clock.nowMs()).toBe(before);
    expect(broker.inFlight()).toMatchObject([
      { messageId: 'id-1', group: 'holders', attempt: 1, leaseEndsAtMs: before + 30_000 },
    ]);
  });

  it('lets leases end when told to, and delivers again to the poll that waits', async () => {
    await start();
    const consumer = client('consumer');
    await consumer.settle(consumerSettings('crashed'));
    await client('producer').call('sendMessage', { messages: [message('again', 'id-1')] });
    await consumer.receive(receiveRequest('again', 'crashed'));
    const second = consumer.receive(receiveRequest('again', 'crashed'));
    await broker.advance(30_000, { duringWork: true });
    const items = await second;
    expect(
      items.flatMap(({ content }) =>
        content?.$case === 'message' ? [content.value.systemProperties?.deliveryAttempt] : [],
      ),
    ).toEqual([2]);
  });

  it('moves past a message whose consumer put it off', async () => {
    await start();
    const consumer = client('consumer');
    await consumer.settle(consumerSettings('patient'));
    await client('producer').call('sendMessage', { messages: [message('retried', 'id-1')] });
    const [, item] = await consumer.receive(receiveRequest('retried', 'patient'));
    const receiptHandle =
      item?.content?.$case === 'message' ? (item.content.value.systemProperties?.receiptHandle ?? '') : '';
    await consumer.call('changeInvisibleDuration', {
      topic: resource('retried'),
      group: resource('patient'),
      receiptHandle,
      invisibleDuration: toDuration(MINUTE_MS),
    });
    expect(broker.waiting()).toMatchObject([
      { kind: 'retry', group: 'patient', attempt: 1, dueAtMs: broker.clock.nowMs() + MINUTE_MS },
    ]);
    await broker.advance(MINUTE_MS);
    const again = await consumer.receive(receiveRequest('retried', 'patient'));
    expect(again).toMatchObject([{}, { content: { value: { systemProperties: { deliveryAttempt: 2 } } } }, {}]);
  });

  it('waits for the answer to a check before time moves on', async () => {
    await start();
    const producer = client('producer');
    const { call } = await producer.settle(producerSettings('orders'));
    const checkedAt: number[] = [];
    call.on('data', ({ command }) => {
      if (command?.$case !== 'recoverOrphanedTransactionCommand') return;
      checkedAt.push(broker.clock.nowMs());
      if (checkedAt.length < 2) return;
      void producer.call('endTransaction', {
        topic: resource('orders'),
        transactionId: command.value.transactionId,
        messageId: command.value.transactionId,
        resolution: TransactionResolution.COMMIT,
      });
    });
    const bornTimestamp = new Date(broker.clock.nowMs());
    const half = message('orders', 'id-1', { messageType: MessageType.TRANSACTION, bornTimestamp });
    await producer.call('sendMessage', { messages: [half] });
    expect(broker.halfMessages()).toMatchObject([{ transactionId: 'id-1', checks: 0 }]);
    const startMs = broker.clock.nowMs();
    await broker.advance(10 * MINUTE_MS);
    expect(checkedAt.map((atMs) => atMs - startMs)).toEqual([6_000, 36_000]);
    expect(broker.halfMessages()).toEqual([]);
    expect(broker.messages('orders')).toMatchObject([{ messageId: 'id-1', messageType: 'transaction' }]);
  });

  it('gives a half message up after as many checks as told', async () => {
    await start({
      manualClock: true,
      transactionCheckMax: 2,
      transactionFirstCheckMs: 1_000,
      transactionCheckIntervalMs: 1_000,
    });
    const bornTimestamp = new Date(broker.clock.nowMs());
    const half = message('orders', 'id-1', { messageType: MessageType.TRANSACTION, bornTimestamp });
    await client('producer').call('sendMessage', { messages: [half] });
    await broker.advance(2_999);
    expect(broker.halfMessages()).toMatchObject([{ checks: 2, nextCheckAtMs: bornTimestamp.getTime() + 3_000 }]);
    await broker.advance(1);
    expect(broker.halfMessages()).toEqual([]);
    expect(broker.messages('orders')).toEqual([]);
  });

  it('does not move time while tracked work is under way', async () => {
    await start();
    const end = broker.clock.track('handler of orders');
    await expect(broker.advance(1, { guardMs: 30 })).rejects.toThrow('handler of orders');
    await broker.advance(1, { duringWork: true });
    end();
    await broker.advance(1);
  });

  it('refuses to move real time', async () => {
    await start({});
    await expect(broker.advance(1)).rejects.toThrow('REAL_TIME');
  });
});
