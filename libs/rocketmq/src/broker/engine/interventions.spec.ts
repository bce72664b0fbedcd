import { describe, expect, it } from '@jest/globals';
import { EngineHarness } from '../../../../../test/fixtures/engine-harness.js';
import { MINUTE_MS } from '../../support/clock.js';
import type { Delivery } from './deliveries.js';
import { delayedMessages, messagesOf } from './views.js';

function delayed(harness: EngineHarness, messageId: string, delayMs: number) {
  return harness.send('later', messageId, { type: 'delay', deliveryTimestampMs: harness.nowMs + delayMs });
}

describe('a delayed message that is delivered now', () => {
  it('is visible at once, keeps its delivery time, and is not delivered again at that time', () => {
    const harness = new EngineHarness();
    delayed(harness, 'a', MINUTE_MS);
    delayed(harness, 'ab', MINUTE_MS);
    const dueAtMs = harness.nowMs + MINUTE_MS;
    harness.nowMs += 10;
    const [at, ...others] = harness.engine.interventions.deliverNow({ topic: 'later', messageId: 'a' }, harness.nowMs);
    expect(others).toEqual([]);
    expect(messagesOf(harness.store, 'later')).toMatchObject([
      { ...at, message: { messageId: 'a', deliveryTimestampMs: dueAtMs, storeTimestampMs: harness.nowMs } },
    ]);
    harness.advance(MINUTE_MS);
    expect(messagesOf(harness.store, 'later').map(({ message }) => message.messageId)).toEqual(['a', 'ab']);
    expect(harness.engine.nextDueAtMs()).toBeUndefined();
  });

  it('wakes the consumers of its topic', () => {
    const harness = new EngineHarness();
    delayed(harness, 'a', MINUTE_MS);
    harness.available.length = 0;
    harness.engine.interventions.deliverNow({ topic: 'later', messageId: 'a' }, harness.nowMs);
    expect(harness.available).toEqual([{ topic: 'later', group: undefined }]);
  });

  it('is found by its recall handle, independently of others with the same id', () => {
    const harness = new EngineHarness();
    const { recallHandle = '' } = delayed(harness, 'a', MINUTE_MS);
    delayed(harness, 'a', 2 * MINUTE_MS);
    expect(harness.engine.interventions.deliverNow({ recallHandle }, harness.nowMs)).toHaveLength(1);
    expect(delayedMessages(harness.store).map(({ dueAtMs }) => dueAtMs)).toEqual([harness.nowMs + 2 * MINUTE_MS]);
    expect(harness.engine.interventions.deliverNow({ recallHandle }, harness.nowMs)).toEqual([]);
  });

  it('is not found when it was delivered, recalled or never sent', () => {
    const harness = new EngineHarness();
    const { recallHandle = '' } = delayed(harness, 'a', MINUTE_MS);
    harness.engine.recall('later', recallHandle, harness.nowMs);
    for (const messageId of ['a', 'b'])
      expect(harness.engine.interventions.deliverNow({ topic: 'later', messageId }, harness.nowMs)).toEqual([]);
    expect(() => harness.engine.interventions.deliverNow({ recallHandle: 'x' }, harness.nowMs)).toThrow('recall');
  });
});

describe('a message that is delivered again', () => {
  /** One message in one queue. */
  function start({ fifo = false, ids = ['a'] } = {}) {
    const harness = new EngineHarness();
    harness.engine.declareTopic({ name: 't', queues: 1 });
    harness.engine.declareGroup({ name: 'g', fifo });
    for (const id of ids) harness.send('t', id);
    const again = (offset = 0) =>
      harness.engine.interventions.deliverAgain(
        harness.engine.group('g'),
        { topic: 't', queueId: 0, offset },
        harness.nowMs,
      );
    return { harness, again };
  }
  const first = (harness: EngineHarness): Delivery => harness.pop('t', 'g', { batchSize: 1 }).deliveries[0] as Delivery;

  it('starts with attempt 1 if it was settled, for this group only', () => {
    const { harness, again } = start();
    harness.ack(first(harness), 'g');
    expect(harness.popIds('t', 'other')).toEqual(['a1']);
    harness.available.length = 0;
    expect(again()).toEqual({ kind: 'again' });
    expect(harness.available).toEqual([{ topic: 't', group: 'g' }]);
    expect(again()).toEqual({ kind: 'waiting' });
    expect(harness.popIds('t', 'g')).toEqual(['a1']);
    expect(harness.popIds('t', 'other')).toEqual([]);
  });

  it('is retried at once and keeps counting attempts', () => {
    const { harness, again } = start();
    const held = harness.change(first(harness), 'g', MINUTE_MS);
    expect(again()).toEqual({ kind: 'again' });
    expect(() => harness.ack(held, 'g')).toThrow('receipt handle is void');
    expect(harness.popIds('t', 'g')).toEqual(['a2']);
    harness.advance(MINUTE_MS - 1);
    expect(harness.popIds('t', 'g')).toEqual(['a3']);
  });

  it('is not delivered again while a consumer holds it', () => {
    const { harness, again } = start();
    harness.pop('t', 'g');
    expect(again()).toEqual({ kind: 'held', untilMs: harness.nowMs + 30_000, holder: undefined });
  });

  it('is already available if the group has not received it', () => {
    expect(start().again()).toEqual({ kind: 'waiting' });
    expect(start().again(7)).toEqual({ kind: 'gone' });
  });

  it('blocks an ordered queue: later messages wait for it', () => {
    const { harness, again } = start({ fifo: true, ids: ['a', 'b', 'c'] });
    harness.ack(first(harness), 'g');
    const b = first(harness);
    expect(again()).toMatchObject({ kind: 'held' });
    harness.ack(b, 'g');
    expect(again()).toEqual({ kind: 'again' });
    const a = first(harness);
    expect([a.message.messageId, a.attempt]).toEqual(['a', 1]);
    expect(harness.popIds('t', 'g')).toEqual([]);
    harness.ack(a, 'g');
    expect(harness.popIds('t', 'g')).toEqual(['c1']);
  });
});

describe('the traffic of an engine', () => {
  it('counts sent and delivered messages, dead letters and ended transactions', () => {
    const harness = new EngineHarness();
    harness.engine.declareGroup({ name: 'g', maxDeliveryAttempts: 1 });
    harness.send('t', 'a');
    harness.send('t', 'bc');
    harness.send('paid', 'half', { type: 'transaction' });
    harness.end('paid', 'half', 'unspecified', true);
    harness.send('paid', 'half', { type: 'transaction' });
    harness.end('paid', 'half', 'commit');
    const [a, bc] = harness.pop('t', 'g').deliveries as [Delivery, Delivery];
    harness.forward(a, 'g');
    harness.change(bc, 'g', 10);
    harness.advance(10);
    expect(harness.popIds('t', 'g')).toEqual([]);
    expect(harness.engine.traffic.counted).toEqual({
      sent: [
        { topic: 't', messageType: 'normal', messages: 2, bytes: 3 },
        { topic: 'paid', messageType: 'transaction', messages: 2, bytes: 8 },
      ],
      handedOut: [{ topic: 't', group: 'g', messages: 2, bytes: 3 }],
      deadLetters: [{ topic: 't', group: 'g', messages: 2, bytes: 0 }],
      ends: [{ topic: 'paid', resolution: 'commit', messages: 1, bytes: 0 }],
    });
  });
});
