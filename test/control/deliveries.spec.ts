// Messages that the control port delivers now or again, as consumers receive them.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { ControlClient, EmbeddedBroker, type EmbeddedBrokerOptions } from 'nestjs-rocketmq/broker';
import {
  Connection,
  type MessageView,
  MINUTE_MS,
  Producer,
  PushConsumer,
  type ReceivedMessage,
  SimpleConsumer,
} from 'nestjs-rocketmq/client';
import { ManualClock } from 'nestjs-rocketmq/testing';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const NO_PORT = -1;

async function start(options: EmbeddedBrokerOptions = {}, controlPort = 0) {
  const broker = new EmbeddedBroker({ ...options, ...(controlPort >= 0 && { controlPort }) });
  await broker.start();
  ends.push(() => broker.stop());
  const connection = new Connection({ endpoints: broker.endpoints });
  ends.push(() => connection.close());
  const producer = new Producer(connection);
  await producer.start();
  ends.push(() => producer.close());
  const endpoint = controlPort === NO_PORT ? 'localhost:1' : broker.controlEndpoint;
  return { broker, connection, producer, control: new ControlClient({ endpoint }) };
}

/** The deliveries to a consumer, in order, as `body attempt`. */
class Received {
  readonly all: string[] = [];
  private wake = (): void => {};

  take({ body, deliveryAttempt }: MessageView): void {
    this.all.push(`${body} ${deliveryAttempt}`);
    this.wake();
  }

  async until(count: number): Promise<string[]> {
    while (this.all.length < count) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    return this.all;
  }
}

async function consume(connection: Connection, consumerGroup: string, topic: string): Promise<Received> {
  const received = new Received();
  const subscriptions = [{ topic }];
  const handler = (message: MessageView): void => received.take(message);
  const consumer = new PushConsumer(connection, { consumerGroup, subscriptions, handler });
  await consumer.start();
  ends.push(() => consumer.close());
  return received;
}

describe('deliver now', () => {
  it('delivers a delayed message at once, by its id or its recall handle', async () => {
    const { connection, producer, control } = await start();
    const later = { topic: 'timeouts', delayMs: 30 * MINUTE_MS };
    const byId = await producer.send({ ...later, body: 'by id' });
    const byHandle = await producer.send({ ...later, body: 'by handle' });
    await producer.send({ ...later, body: 'waits' });
    const received = await consume(connection, 'shop', 'timeouts');
    const { delivered } = await control.deliverNow({ topic: 'timeouts', messageId: byId.messageId });
    expect(delivered).toEqual([{ topic: 'timeouts', queueId: expect.any(Number), offset: expect.any(Number) }]);
    expect(await received.until(1)).toEqual(['by id 1']);
    await control.deliverNow({ recallHandle: byHandle.recallHandle ?? '' });
    expect(await received.until(2)).toEqual(['by id 1', 'by handle 1']);
    expect((await control.delayed()).items.map(({ body }) => body)).toEqual(['waits']);
  });

  it('delivers it once: the second time no message is waiting', async () => {
    const { producer, control } = await start({ recallEnabled: true });
    const sent = await producer.send({ topic: 'timeouts', body: 'x', delayMs: MINUTE_MS });
    const name = { topic: 'timeouts', messageId: sent.messageId };
    const both = await Promise.allSettled([control.deliverNow(name), control.deliverNow(name)]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await expect(control.deliverNow(name)).rejects.toMatchObject({
      code: 'NOT_WAITING',
      status: 404,
      outcome: 'rejected',
    });
    await expect(control.deliverNow({ recallHandle: 'x' })).rejects.toMatchObject({ code: 'ILLEGAL_RECALL_HANDLE' });
    expect((await control.messages('timeouts')).items).toHaveLength(1);
  });

  it('finds one message among very many', async () => {
    const { producer, control } = await start();
    const bodies = Array.from({ length: 500 }, (_, index) => `${index}`);
    const send = (body: string) => producer.send({ topic: 'many', body, delayMs: MINUTE_MS }, { timeoutMs: 30_000 });
    const sent = await Promise.all(bodies.map(send));
    const wanted = sent[345]?.messageId ?? '';
    expect((await control.delayed({ topic: 'many', messageId: wanted })).items).toMatchObject([{ body: '345' }]);
    await control.deliverNow({ topic: 'many', messageId: wanted });
    expect((await control.messages('many')).items.map(({ body }) => body)).toEqual(['345']);
  });
});

describe('a broker with its own time', () => {
  it('keeps its time: a message delivered now makes nothing else due', async () => {
    const clock = new ManualClock();
    const { broker, producer, control } = await start({ clock });
    const sent = await producer.send({ topic: 'timeouts', body: 'a', delayMs: 10 * MINUTE_MS });
    await producer.send({ topic: 'timeouts', body: 'b', delayMs: 5 * MINUTE_MS });
    const before = await control.state();
    const [waiting] = (await control.delayed({ topic: 'timeouts', messageId: sent.messageId })).items;
    await control.deliverNow({ topic: 'timeouts', messageId: sent.messageId });
    expect(await control.state()).toMatchObject({ nowMs: before.nowMs, nextDueAtMs: before.nextDueAtMs });
    expect(clock.nowMs()).toBe(before.nowMs);
    const { items } = await control.messages('timeouts');
    expect(items).toMatchObject([{ body: 'a', deliveryTimestampMs: waiting?.dueAtMs, storedAtMs: before.nowMs }]);
    await expect(control.advanceTime({ next: true })).rejects.toMatchObject({ code: 'NO_TIME_TRAVEL' });
    for (const path of ['/advance', '/clock']) {
      const answer = await fetch(broker.controlEndpoint + path, { method: 'POST', headers: { connection: 'close' } });
      expect(answer.status).toBe(404);
    }
    expect(clock.nowMs()).toBe(before.nowMs);
  });
});

describe('a broker on disk', () => {
  it('has delivered what it reported, whatever happens afterwards', async () => {
    const data = mkdtempSync(join(tmpdir(), 'control-'));
    ends.push(() => rmSync(data, { recursive: true }));
    // Sent before the control port was enabled, but still found.
    const first = await start({ data }, NO_PORT);
    const sent = await first.producer.send({ topic: 'timeouts', body: 'a', delayMs: 30 * MINUTE_MS });
    await first.producer.send({ topic: 'timeouts', body: 'b', delayMs: 30 * MINUTE_MS });
    for (const end of ends.splice(1).reverse()) await end();
    const second = await start({ data });
    await second.control.deliverNow({ topic: 'timeouts', messageId: sent.messageId });
    for (const end of ends.splice(1).reverse()) await end();
    const third = await start({ data });
    expect((await third.control.messages('timeouts')).items.map(({ body }) => body)).toEqual(['a']);
    expect((await third.control.delayed()).items.map(({ body }) => body)).toEqual(['b']);
    expect(await third.control.state()).toMatchObject({ storage: { medium: 'disk' } });
    const received = await consume(third.connection, 'shop', 'timeouts');
    expect(await received.until(1)).toEqual(['a 1']);
    await settled(third.control);
  });
});

describe('deliver again', () => {
  it('delivers a message again to one group, and to no other', async () => {
    const { connection, producer, control } = await start();
    const shop = await consume(connection, 'shop', 'orders');
    const audit = await consume(connection, 'audit', 'orders');
    const { messageId } = await producer.send({ topic: 'orders', body: 'a' });
    await Promise.all([shop.until(1), audit.until(1)]);
    await settled(control);
    const again = await control.deliverAgain({ group: 'shop', topic: 'orders', messageId });
    expect(again.results).toMatchObject([{ topic: 'orders', outcome: 'again' }]);
    expect(await shop.until(2)).toEqual(['a 1', 'a 1']);
    await settled(control);
    expect(audit.all).toEqual(['a 1']);
    // Found by its position, without an index.
    const [{ queueId, offset } = { queueId: 0, offset: 0 }] = again.results;
    await control.deliverAgain({ group: 'audit', topic: 'orders', queueId, offset });
    expect(await audit.until(2)).toEqual(['a 1', 'a 1']);
  });

  it('retries at once, and keeps counting attempts', async () => {
    const { connection, producer, control } = await start();
    const consumer = new SimpleConsumer(connection, { consumerGroup: 'shop', subscriptions: [{ topic: 'orders' }] });
    await consumer.start();
    ends.push(() => consumer.close());
    const { messageId } = await producer.send({ topic: 'orders', body: 'a' });
    const [first] = await consumer.receive();
    await expect(control.deliverAgain({ group: 'shop', topic: 'orders', messageId })).rejects.toMatchObject({
      code: 'MESSAGE_HELD',
      status: 409,
      outcome: 'rejected',
      retryable: true,
    });
    await consumer.changeInvisibleDuration(first as ReceivedMessage, 10 * MINUTE_MS);
    const { results } = await control.deliverAgain({ group: 'shop', topic: 'orders', messageId });
    expect(results).toMatchObject([{ outcome: 'again' }]);
    const [second] = await consumer.receive();
    expect([second?.messageId, second?.deliveryAttempt]).toEqual([messageId, 2]);
    await consumer.ack(second as ReceivedMessage);
  });

  it('keeps the order in an ordered group', async () => {
    const { broker, connection, producer, control } = await start();
    broker.declareTopic({ name: 'steps', type: 'fifo' });
    broker.declareGroup({ name: 'ledger', fifo: true });
    const received = await consume(connection, 'ledger', 'steps');
    const sent = [];
    for (const body of ['1', '2', '3']) sent.push(await producer.send({ topic: 'steps', body, messageGroup: 'g' }));
    await received.until(3);
    await settled(control);
    await control.deliverAgain({ group: 'ledger', topic: 'steps', messageId: sent[1]?.messageId ?? '' });
    expect(await received.until(4)).toEqual(['1 1', '2 1', '3 1', '2 1']);
  });

  it('reports what does not exist', async () => {
    const { connection, producer, control } = await start({
      strict: true,
      topics: [{ name: 'orders' }],
      groups: [{ name: 'shop' }],
    });
    const { messageId } = await producer.send({ topic: 'orders', body: 'a' });
    const again = (name: object) =>
      control.deliverAgain({ group: 'shop', topic: 'orders', messageId, ...name }).catch(({ code }) => code);
    expect(await again({ topic: 'order' })).toBe('UNKNOWN_TOPIC');
    expect(await again({ group: 'shopp' })).toBe('UNKNOWN_GROUP');
    expect(await again({ messageId: 'x' })).toBe('UNKNOWN_MESSAGE');
    // The group has not received it yet, so it is delivered anyway.
    expect(await again({})).toMatchObject({ results: [{ outcome: 'waiting' }] });
    const received = await consume(connection, 'shop', 'orders');
    expect(await received.until(1)).toEqual(['a 1']);
  });
});

/** Waits until no consumer holds a message. */
async function settled(control: ControlClient): Promise<void> {
  while ((await control.inFlight()).items.length > 0);
}
