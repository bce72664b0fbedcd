import { deflateSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  consumerSettings,
  message,
  producerSettings,
  RawClient,
  receiveRequest,
  resource,
} from '../../../../tools/wire/raw-grpc-client.js';
import { toDuration } from '../protocol/grpc/duration.js';
import {
  Encoding,
  MessageType,
  TransactionResolution,
} from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
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

  it('makes a delayed message visible at its time, not before', async () => {
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

  it('skips thousands of moments at which nobody waits, and stops where somebody does', async () => {
    await start();
    const producer = client('producer');
    const consumer = client('consumer');
    await consumer.settle(consumerSettings('waiters'));
    const nowMs = broker.clock.nowMs();
    const at = (ms: number) => ({ deliveryTimestamp: new Date(nowMs + ms) });
    for (let first = 1; first <= 3_000; first += 100) {
      const messages = Array.from({ length: 100 }, (_, index) => {
        return message('unread', `id-${first + index}`, at((first + index) * 10_000));
      });
      await producer.call('sendMessage', { messages });
    }
    await producer.call('sendMessage', { messages: [message('read', 'awaited', at(5_000_005))] });
    const poll = consumer.receive(receiveRequest('read', 'waiters'));
    await broker.advance(30 * 24 * 60 * MINUTE_MS, { duringWork: true });
    expect(broker.messages('unread')).toHaveLength(3_000);
    const ids = (await poll).map(({ content }) => {
      return content?.$case === 'message' ? content.value.systemProperties?.messageId : content?.$case;
    });
    expect(ids).toEqual(['status', 'awaited', 'deliveryTimestamp']);
  });

  it('does not move time while a consumer holds a message, and names the message', async () => {
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

  it('names held messages and open RPCs when it does not become quiet', async () => {
    await start();
    const consumer = client('consumer-7');
    await consumer.settle(consumerSettings('holders'));
    await client('producer').call('sendMessage', { messages: [message('held', 'id-1')] });
    await consumer.receive(receiveRequest('held', 'holders'));
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'delay', delayMs: 500 } });
    const sending = client('producer').call('sendMessage', { messages: [message('slow', 'id-2')] });
    const text = await broker.idle({ guardMs: 100 }).catch(({ message }: Error) => message);
    const leaseEnd = new Date(broker.clock.nowMs() + 30_000).toISOString();
    expect(text).toContain('RPC in flight: sendMessage of producer');
    expect(text).toContain(
      'message id-1 of topic held, attempt 1, at a consumer of group holders ' +
        `(client consumer-7, lease until ${leaseEnd}, in 30000 ms)`,
    );
    await sending;
  });

  it('shows bodies as text and as JSON, decompressed', async () => {
    await start();
    const json = Buffer.from('{"order":"1"}');
    const packed = gzipSync(json);
    const producer = client('producer');
    const bodyEncoding = Encoding.GZIP;
    await producer.call('sendMessage', { messages: [{ ...message('t', 'plain'), body: json }] });
    await producer.call('sendMessage', { messages: [{ ...message('t', 'packed', { bodyEncoding }), body: packed }] });
    // Compressed as clients of the remoting protocol do.
    const deflated = deflateSync(json);
    await producer.call('sendMessage', { messages: [{ ...message('t', 'older', { bodyEncoding }), body: deflated }] });
    const found = broker.messages('t').sort((a, b) => (a.messageId < b.messageId ? 1 : -1));
    expect(found.map((one) => one.json<{ order: string }>().order)).toEqual(['1', '1', '1']);
    expect(found.map((one) => one.text())).toEqual(['{"order":"1"}', '{"order":"1"}', '{"order":"1"}']);
    expect(found.map(({ body }) => body)).toEqual([json, packed, deflated]);
    // Not an own property: a whole message can be compared.
    expect(Object.keys(found[0] ?? {})).not.toContain('json');
  });

  it('shows the dead letters of a group, with their origin and time', async () => {
    await start({ manualClock: true, groups: [{ name: 'shop', maxDeliveryAttempts: 1 }] });
    const consumer = client('consumer');
    await consumer.settle(consumerSettings('shop'));
    await client('producer').call('sendMessage', { messages: [message('orders', 'id-1')] });
    await consumer.receive(receiveRequest('orders', 'shop'));
    expect(broker.deadLetters('shop')).toEqual([]);
    await broker.advance(30_000, { duringWork: true });
    await consumer.receive(receiveRequest('orders', 'shop'));
    expect(broker.deadLetters('shop')).toMatchObject([
      { messageId: 'id-1', group: 'shop', originTopic: 'orders', diedAtMs: broker.clock.nowMs() },
    ]);
    expect(broker.deadLetters('shop')[0]?.text()).toBe('body of id-1');
    expect(broker.deadLetters('other')).toEqual([]);
  });

  it('shows everything with a due time, the earliest first', async () => {
    await start();
    const [producer, consumer] = [client('producer'), client('consumer')];
    await consumer.settle(consumerSettings('shop'));
    const nowMs = broker.clock.nowMs();
    const bornTimestamp = new Date(nowMs);
    const half = message('paid', 'half', { messageType: MessageType.TRANSACTION, bornTimestamp });
    const deliveryTimestamp = new Date(nowMs + 10_000);
    const delayed = message('later', 'delayed', { deliveryTimestamp });
    for (const one of [delayed, half, message('orders', 'held')])
      await producer.call('sendMessage', { messages: [one] });
    await consumer.receive(receiveRequest('orders', 'shop'));
    await producer.call('sendMessage', { messages: [message('orders', 'retried')] });
    const [, item] = await consumer.receive(receiveRequest('orders', 'shop'));
    const held = item?.content?.$case === 'message' ? item.content.value.systemProperties : undefined;
    const delivery = { topic: resource('orders'), group: resource('shop'), receiptHandle: held?.receiptHandle ?? '' };
    await consumer.call('changeInvisibleDuration', { ...delivery, invisibleDuration: toDuration(MINUTE_MS) });
    expect(broker.pending().map(({ kind, messageId, dueAtMs }) => [kind, messageId, dueAtMs - nowMs])).toEqual([
      ['check', 'half', 6_000],
      ['delayed', 'delayed', 10_000],
      ['lease', 'held', 30_000],
      ['retry', 'retried', 60_000],
    ]);
    expect(broker.pending()[2]).toMatchObject({ group: 'shop', attempt: 1, clientId: 'consumer' });
  });

  it('runs beside many others in one process', async () => {
    await start();
    const others = await Promise.all(Array.from({ length: 20 }, () => TestBroker.start({ manualClock: true })));
    const producers = others.map(({ endpoints }, index) => new RawClient(endpoints, `producer-${index}`));
    clients.push(...producers);
    const deliveryTimestamp = (one: TestBroker): Date => new Date(one.clock.nowMs() + MINUTE_MS);
    await Promise.all(
      producers.map((producer, index) => {
        const own = message('t', `id-${index}`, { deliveryTimestamp: deliveryTimestamp(others[index] as TestBroker) });
        return producer.call('sendMessage', { messages: [own] });
      }),
    );
    await others[7]?.advance(MINUTE_MS);
    const visible = others.map((one) => one.messages('t').map(({ messageId }) => messageId));
    expect(visible).toEqual(others.map((_, index) => (index === 7 ? ['id-7'] : [])));
    expect(others.map((one) => one.pending().length)).toEqual(others.map((_, index) => (index === 7 ? 0 : 1)));
    for (const one of others) await one.stop();
  });

  it('lets leases end on request, and redelivers to the open poll', async () => {
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

  it('moves past a message whose consumer postponed it', async () => {
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

  it('waits for the answer to a check before it moves time', async () => {
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

  it('gives up a half message after the configured number of checks', async () => {
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

  it('does not move time while tracked work is running', async () => {
    await start();
    const end = broker.clock.track('handler of orders');
    await expect(broker.advance(1, { guardMs: 30 })).rejects.toThrow('handler of orders');
    await broker.advance(1, { duringWork: true });
    end();
    await broker.advance(1);
  });

  it.each([Number.NaN, -1, Number.POSITIVE_INFINITY])('rejects moving time by %s', async (durationMs) => {
    await start({ manualClock: true });
    const before = broker.clock.nowMs();
    await expect(broker.advance(durationMs)).rejects.toThrow('ILLEGAL_DURATION');
    expect(broker.clock.nowMs()).toBe(before);
  });

  it('does not move beyond the last date', async () => {
    await start();
    const startedAtMs = broker.clock.nowMs();
    await expect(broker.advance(9e15)).rejects.toMatchObject({ code: 'ILLEGAL_DURATION', field: 'durationMs' });
    expect(broker.clock.nowMs()).toBe(startedAtMs);
  });

  it('rejects moving real time', async () => {
    await start({});
    await expect(broker.advance(1)).rejects.toThrow('REAL_TIME');
  });
});
