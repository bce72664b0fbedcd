// Real clients, which stay on real time, on a broker whose time is moved.

import { afterEach, describe, expect, it } from '@jest/globals';
import { TimeBench } from '../../../../../test/fixtures/time-bench.js';
import { soon } from '../../../../../tools/until.js';
import type { MessageView } from '../../protocol/model/message.js';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import type { EmbeddedBrokerOptions } from '../embedded-broker-options.js';

let bench: TimeBench;
afterEach(() => bench.close());

async function start(options: EmbeddedBrokerOptions = {}): Promise<TimeBench> {
  bench = await TimeBench.start(options);
  return bench;
}

/** How long the calls of a spec may take on a slow machine, compared to minutes and hours. */
const TOLERANCE_MS = 20 * SECOND_MS;

const textsOf = (messages: readonly { readonly body: Buffer }[]): string[] =>
  messages.map(({ body }) => body.toString());

function expectNear(actualMs: number | undefined, expectedMs: number): void {
  expect(Math.abs((actualMs ?? Number.NaN) - expectedMs)).toBeLessThan(TOLERANCE_MS);
}

/** A push consumer that records what it gets. */
async function recording(topic: string, consumerGroup: string): Promise<MessageView[]> {
  const received: MessageView[] = [];
  await bench.pushConsumer({
    consumerGroup,
    subscriptions: [{ topic }],
    handler: (message) => void received.push(message),
  });
  return received;
}

describe('a delayed message after the time was moved', () => {
  it.each([
    ['a moment', () => ({ deliverAt: new Date(Date.now() + 30 * MINUTE_MS) })],
    ['a delay', () => ({ delayMs: 30 * MINUTE_MS })],
  ])('is due as late as its sender said, by %s', async (_, due) => {
    const { control } = await start();
    const producer = await bench.producer();
    const received = await recording('due', 'readers');
    await control.advanceTime({ byMs: HOUR_MS });
    const sentAtMs = Date.now();
    await producer.send({ topic: 'due', body: 'later', ...due() });
    const [event] = (await control.time()).due;
    const { nowMs } = await control.time();
    expect(event).toMatchObject({ kind: 'delayed', topic: 'due' });
    expectNear(event?.atMs, nowMs + 30 * MINUTE_MS);
    await control.advanceTime({ byMs: 29 * MINUTE_MS });
    expect(received).toEqual([]);
    await control.advanceTime({ byMs: MINUTE_MS });
    await soon(() => received.length === 1);
    const [message] = received as [MessageView];
    // For its consumer it was born when it was sent, and delivered now: nothing of it is in the future.
    expectNear(message.bornTimestampMs, sentAtMs);
    expect(message.bornTimestampMs).toBeGreaterThanOrEqual(sentAtMs);
    expect(message.storeTimestampMs).toBeLessThanOrEqual(Date.now());
    expect(message.deliveryTimestampMs).toBeLessThanOrEqual(Date.now());
  });

  it('is rejected if it is further ahead than the limit, counted from the time of its sender', async () => {
    const { control } = await start({ maxDelayMs: HOUR_MS });
    const producer = await bench.producer({ maxDelayMs: 48 * HOUR_MS });
    await control.advanceTime({ byMs: 24 * HOUR_MS });
    await expect(producer.send({ topic: 'due', body: 'x', delayMs: HOUR_MS + MINUTE_MS })).rejects.toMatchObject({
      code: 'ILLEGAL_DELIVERY_TIME',
    });
    await producer.send({ topic: 'due', body: 'x', delayMs: HOUR_MS - MINUTE_MS });
    expect((await control.time()).due).toHaveLength(1);
  });

  it('is recalled by the handle of its sender, whenever the time was moved', async () => {
    const { control } = await start();
    const producer = await bench.producer();
    const send = async () => (await producer.send({ topic: 'due', body: 'x', delayMs: 2 * HOUR_MS })).recallHandle;
    const before = (await send()) as string;
    await control.advanceTime({ byMs: HOUR_MS });
    const between = (await send()) as string;
    await control.advanceTime({ byMs: 30 * MINUTE_MS });
    for (const recallHandle of [before, between]) await producer.recall({ topic: 'due', recallHandle });
    expect((await control.time()).due).toEqual([]);
    const passed = (await send()) as string;
    await control.advanceTime({ byMs: 2 * HOUR_MS });
    await expect(producer.recall({ topic: 'due', recallHandle: passed })).rejects.toThrow('the message was due');
  });

  it('is listed by administration with its time for clients, and canceled by what is listed', async () => {
    const { control } = await start();
    const producer = await bench.producer();
    const admin = bench.admin();
    await control.advanceTime({ byMs: 5 * HOUR_MS });
    const deliverAt = new Date(Date.now() + HOUR_MS);
    for (const body of ['a', 'b', 'c']) await producer.send({ topic: 'due', body, deliverAt });
    const { messages } = await admin.delayedMessages({ topic: 'due' });
    expect(messages.map(({ dueTimestampMs }) => dueTimestampMs)).toEqual(Array(3).fill(deliverAt.getTime()));
    expect(messages.map(({ deliveryTimestampMs }) => deliveryTimestampMs)).toEqual(Array(3).fill(deliverAt.getTime()));
    const [one, other, third] = messages as [(typeof messages)[0], (typeof messages)[0], (typeof messages)[0]];
    await admin.recallDelayed(one);
    await producer.recall({ topic: 'due', recallHandle: other.recallHandle });
    expect((await admin.delayedMessages({ topic: 'due' })).messages).toHaveLength(1);
    await control.deliverNow({ recallHandle: third.recallHandle });
    expect((await admin.delayedMessages({ topic: 'due' })).messages).toEqual([]);
  });
});

describe('deliveries after the time was moved', () => {
  it('are redelivered when their invisible time is over, and not before', async () => {
    const { control } = await start();
    const producer = await bench.producer();
    const consumer = await bench.simpleConsumer('readers', 'plain');
    await control.advanceTime({ byMs: HOUR_MS });
    await producer.send({ topic: 'plain', body: 'x' });
    const [first] = await consumer.receive({ invisibleDurationMs: 10 * MINUTE_MS });
    expect((await control.time()).due).toMatchObject([{ kind: 'lease', topic: 'plain', consumerGroup: 'readers' }]);
    // Its consumer holds it, so time passes only on request.
    await expect(control.advanceTime({ byMs: 9 * MINUTE_MS })).rejects.toMatchObject({ code: 'NOT_QUIET' });
    await control.advanceTime({ byMs: 9 * MINUTE_MS, duringWork: true });
    expect(await consumer.receive()).toEqual([]);
    await control.advanceTime({ byMs: MINUTE_MS, duringWork: true });
    const [again] = await consumer.receive();
    expect(again).toMatchObject({ messageId: first?.messageId, deliveryAttempt: 2 });
    expect(again?.bornTimestampMs).toBe(first?.bornTimestampMs);
    expect(again?.storeTimestampMs).toBe(first?.storeTimestampMs);
    await consumer.ack(again as NonNullable<typeof again>);
    await expect(consumer.ack(first as NonNullable<typeof first>)).rejects.toMatchObject({
      code: 'INVALID_RECEIPT_HANDLE',
    });
  });

  it('are retried after the delay that was asked for', async () => {
    const { control } = await start();
    const producer = await bench.producer();
    const consumer = await bench.simpleConsumer('readers', 'plain');
    await control.advanceTime({ byMs: HOUR_MS });
    await producer.send({ topic: 'plain', body: 'x' });
    const [first] = await consumer.receive();
    await consumer.changeInvisibleDuration(first as NonNullable<typeof first>, 2 * HOUR_MS);
    const { due, nextDueAtMs } = await control.time();
    expect(due).toMatchObject([{ kind: 'retry', messageId: first?.messageId, consumerGroup: 'readers' }]);
    const reached = await control.advanceTime({ next: true });
    expect(reached).toMatchObject({ targetMs: nextDueAtMs, passed: 1 });
    const [again] = await consumer.receive();
    expect(again).toMatchObject({ messageId: first?.messageId, deliveryAttempt: 2 });
  });

  it('of an ordered group stay in order', async () => {
    const { control } = await start({ groups: [{ name: 'ordered', fifo: true }] });
    const producer = await bench.producer();
    const consumer = await bench.simpleConsumer('ordered', 'steps');
    await control.advanceTime({ byMs: HOUR_MS });
    for (const body of ['one', 'two', 'three']) {
      await producer.send({ topic: 'steps', body, messageGroup: 'order-1' });
    }
    const first = await consumer.receive({ maxMessages: 2, invisibleDurationMs: 10 * MINUTE_MS });
    expect(textsOf(first)).toEqual(['one', 'two']);
    expect(await consumer.receive()).toEqual([]);
    await consumer.ack(first[0] as (typeof first)[0]);
    await control.advanceTime({ byMs: 10 * MINUTE_MS, duringWork: true });
    const again = await consumer.receive();
    expect(again.map(({ body, deliveryAttempt }) => `${body} ${deliveryAttempt}`)).toEqual(['two 2', 'three 1']);
  });

  it('of an ordered group are not taken from a consumer that waits for their next attempt', async () => {
    const backoff = { kind: 'customized', nextMs: [SECOND_MS] } as const;
    const { control } = await start({ groups: [{ name: 'ordered', fifo: true, backoff }] });
    const producer = await bench.producer();
    const handled: string[] = [];
    await bench.pushConsumer({
      consumerGroup: 'ordered',
      subscriptions: [{ topic: 'steps' }],
      handler: (message) => {
        handled.push(`${message.body} ${message.deliveryAttempt}`);
        if (message.deliveryAttempt < 2) throw new Error('not yet');
      },
    });
    for (const body of ['one', 'two']) await producer.send({ topic: 'steps', body, messageGroup: 'order-1' });
    await soon(() => handled.length > 0);
    await control.advanceTime({ byMs: HOUR_MS });
    expect(handled).toEqual(['one 1', 'one 2', 'two 1', 'two 2']);
  });
});

describe('a transaction after the time was moved', () => {
  it('is checked after the same time, and as often as the time passes', async () => {
    const { control } = await start({ transactionCheckMax: 3 });
    const checks: MessageView[] = [];
    await control.advanceTime({ byMs: 7 * 24 * HOUR_MS });
    const bornAfterMs = Date.now();
    const crashed = await bench.producer({
      topics: { ordered: 'transaction' },
      transactionCheckers: { ordered: () => 'unknown' },
    });
    await crashed.beginTransaction({ topic: 'ordered', body: 'half' });
    await crashed.close({ shutdownGraceMs: 0 });
    await bench.producer({
      topics: { ordered: 'transaction' },
      transactionCheckers: {
        ordered: ({ message }) => {
          checks.push(message);
          return checks.length === 3 ? 'commit' : 'unknown';
        },
      },
    });
    const { due, nowMs } = await control.time();
    expect(due).toMatchObject([{ kind: 'check', topic: 'ordered' }]);
    expect((due[0]?.atMs ?? 0) - nowMs).toBeLessThanOrEqual(6 * SECOND_MS);
    expect(checks).toEqual([]);
    await control.advanceTime({ byMs: 70 * SECOND_MS });
    await soon(async () => (await control.messages('ordered')).items.length === 1);
    expect(checks).toHaveLength(3);
    for (const { bornTimestampMs } of checks) {
      expectNear(bornTimestampMs, bornAfterMs);
      expect(bornTimestampMs).toBeLessThanOrEqual(Date.now());
    }
  });
});

describe('administration after the time was moved', () => {
  it('finds, browses and rewinds by the times of its clients', async () => {
    const { control } = await start({ topics: [{ name: 'plain', queues: 1 }] });
    const producer = await bench.producer();
    const admin = bench.admin();
    const consumer = await bench.simpleConsumer('readers', 'plain');
    const send = (body: string) => producer.send({ topic: 'plain', body, keys: ['k'] });
    /** Real time passes between two sends, so that their times differ. */
    const tick = async (): Promise<Date> => {
      const atMs = Date.now();
      await soon(() => Date.now() > atMs + 1);
      return new Date(atMs + 1);
    };
    await send('one');
    const afterOne = await tick();
    await control.advanceTime({ byMs: 3 * 24 * HOUR_MS });
    await send('two');
    const afterTwo = await tick();
    await control.advanceTime({ byMs: HOUR_MS });
    await send('three');
    const stored = (await admin.browseMessages('plain')).messages;
    expect(textsOf(stored)).toEqual(['one', 'two', 'three']);
    for (const { storeTimestampMs, bornTimestampMs } of stored) {
      expect(storeTimestampMs).toBeLessThanOrEqual(Date.now());
      expectNear(storeTimestampMs, bornTimestampMs);
    }
    const between = { from: afterOne, to: afterTwo };
    expect(textsOf((await admin.browseMessages('plain', between)).messages)).toEqual(['two']);
    const byKey = await admin.findMessages({ topic: 'plain', key: 'k', ...between });
    expect(textsOf(byKey.messages)).toEqual(['two']);
    for (const message of await consumer.receive()) await consumer.ack(message);
    await admin.rewindGroup({ consumerGroup: 'readers', topic: 'plain', to: { kind: 'time', time: afterTwo } });
    expect(textsOf(await consumer.receive())).toEqual(['three']);
    await admin.rewindGroup({ consumerGroup: 'readers', topic: 'plain', to: { kind: 'time', time: afterOne } });
    expect(textsOf(await consumer.receive())).toEqual(['two', 'three']);
  });

  it('sees a broker whose clock is right', async () => {
    const { control } = await start();
    const admin = bench.admin();
    await control.advanceTime({ byMs: 40 * 24 * HOUR_MS });
    const { brokers } = await admin.brokerClocks();
    expect(brokers).toHaveLength(1);
    expect(Math.abs(brokers[0]?.aheadMs ?? Number.NaN)).toBeLessThan(TOLERANCE_MS);
    const { nowMs, offsetMs } = await control.time();
    expect(offsetMs).toBeGreaterThan(40 * 24 * HOUR_MS - TOLERANCE_MS);
    expectNear(nowMs, Date.now() + offsetMs);
  });
});
