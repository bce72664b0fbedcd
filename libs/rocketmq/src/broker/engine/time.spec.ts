import { describe, expect, it } from '@jest/globals';
import { EngineHarness } from '../../../../../test/fixtures/engine-harness.js';
import { GIVEN_UP_TOPIC } from '../../protocol/model/names.js';
import type { SendResult } from './send.js';
import { delayedMessages, halfMessages, messagesOf } from './views.js';

const HALF = { type: 'transaction' } as const;

describe('delayed messages', () => {
  function sendDelayed(harness: EngineHarness, delayMs: number): SendResult {
    return harness.send('t', 'm', { type: 'delay', deliveryTimestampMs: harness.nowMs + delayMs });
  }

  it('become visible at their time, and have it as their store time', () => {
    const harness = new EngineHarness();
    sendDelayed(harness, 5_000);
    harness.advance(4_999);
    expect(harness.popIds('t', 'g')).toEqual([]);
    harness.advance(1);
    expect(harness.pop('t', 'g').deliveries).toMatchObject([{ message: { storeTimestampMs: harness.nowMs } }]);
  });

  it('are visible at once, and cannot be recalled, when their time is past', () => {
    const harness = new EngineHarness();
    expect(sendDelayed(harness, -1).recallHandle).toBeUndefined();
    expect(harness.popIds('t', 'g')).toEqual(['m1']);
  });

  it('never become visible once recalled; recalling twice is no error', () => {
    const harness = new EngineHarness();
    const recallHandle = sendDelayed(harness, 5_000).recallHandle ?? '';
    expect(harness.engine.recall('t', recallHandle, harness.nowMs)).toBe('m');
    expect(harness.engine.recall('t', recallHandle, harness.nowMs)).toBe('m');
    harness.advance(10_000);
    expect(harness.popIds('t', 'g')).toEqual([]);
    expect(delayedMessages(harness.store)).toEqual([]);
  });

  it('cannot be recalled late, from another topic, with an invalid handle, or when recall is disabled', () => {
    const harness = new EngineHarness();
    const recallHandle = sendDelayed(harness, 5_000).recallHandle ?? '';
    harness.engine.declareTopic({ name: 'other', type: 'delay' });
    const recall = (topic: string, handle: string) => () => harness.engine.recall(topic, handle, harness.nowMs);
    expect(recall('other', recallHandle)).toThrow('not for topic "other"');
    expect(recall('t', 'nonsense')).toThrow('not issued by this broker');
    harness.advance(5_000);
    expect(recall('t', recallHandle)).toThrow('timestamp invalid');
    const off = new EngineHarness({ recallEnabled: false });
    const offHandle = sendDelayed(off, 5_000).recallHandle ?? '';
    expect(() => off.engine.recall('t', offHandle, off.nowMs)).toThrow('operation is forbidden');
  });
});

describe('half messages', () => {
  it('become visible when committed and never when rolled back', () => {
    const harness = new EngineHarness();
    harness.send('t', 'kept', HALF);
    harness.send('t', 'lost', HALF);
    expect(harness.popIds('t', 'g')).toEqual([]);
    harness.end('t', 'kept', 'commit');
    harness.end('t', 'lost', 'rollback');
    expect(harness.popIds('t', 'g')).toEqual(['kept1']);
    harness.advance(1_000_000);
    expect(harness.checks).toEqual([]);
  });

  it('are checked after 6 s, then every 30 s, and given up after 15 checks', () => {
    const harness = new EngineHarness();
    harness.send('t', 'm', HALF);
    const startMs = harness.nowMs;
    harness.advance(5_999);
    expect(harness.checks).toEqual([]);
    harness.advance(1);
    expect(harness.checks).toMatchObject([{ topic: 't', transactionId: 'm', times: 1 }]);
    harness.advance(14 * 30_000);
    expect(harness.checks).toHaveLength(15);
    expect(harness.givenUp).toEqual([]);
    harness.advance(30_000);
    expect(harness.givenUp).toEqual(['m']);
    expect(halfMessages(harness.store)).toEqual([]);
    expect(harness.nowMs - startMs).toBe(6_000 + 15 * 30_000);
    expect(harness.popIds('t', 'g')).toEqual([]);
  });

  it('are moved to the given-up topic, and are checked again when they are resumed', () => {
    const harness = new EngineHarness();
    harness.send('t', 'm', { ...HALF, properties: { own: '1' } });
    harness.advance(6_000 + 15 * 30_000);
    const [givenUp, ...others] = messagesOf(harness.store, GIVEN_UP_TOPIC);
    expect(others).toEqual([]);
    const properties = { own: '1', REAL_TOPIC: 't', TRANSACTION_CHECK_TIMES: '15', __transactionId__: 'm' };
    expect(givenUp).toMatchObject({
      offset: 0,
      message: { messageId: 'm', properties, storeTimestampMs: harness.nowMs },
    });
    harness.engine.resumeTransaction(0, harness.nowMs);
    expect(harness.checks).toHaveLength(15);
    harness.advance(0);
    expect(harness.checks.slice(15)).toMatchObject([{ topic: 't', transactionId: 'm', times: 1 }]);
    harness.end('t', 'm', 'commit', true);
    expect(harness.pop('t', 'g').deliveries.map(({ message }) => message.properties)).toEqual([
      { own: '1', TRANSACTION_CHECK_TIMES: '1', __transactionId__: 'm' },
    ]);
    expect(() => harness.engine.resumeTransaction(1, harness.nowMs)).toThrow(
      'there is no given up half message at offset 1',
    );
  });

  it('are given up at once when their property says that all checks are used up', () => {
    const harness = new EngineHarness();
    harness.send('t', 'm', { ...HALF, properties: { TRANSACTION_CHECK_TIMES: '15' } });
    harness.send('t', 'n', { ...HALF, properties: { TRANSACTION_CHECK_TIMES: 'many' } });
    harness.advance(6_000);
    expect([harness.givenUp, harness.checks.map(({ transactionId }) => transactionId)]).toEqual([['m'], ['n']]);
  });

  it("have their first check counted from the producer's birth timestamp, unless its clock is ahead", () => {
    const harness = new EngineHarness();
    harness.send('t', 'old', { ...HALF, bornTimestampMs: harness.nowMs - 60_000 });
    harness.send('t', 'ahead', { ...HALF, bornTimestampMs: harness.nowMs + 60_000 });
    harness.send('t', 'patient', HALF, 20_000);
    harness.advance(0);
    expect(harness.checks.map(({ transactionId }) => transactionId)).toEqual(['old']);
    harness.advance(6_000);
    expect(harness.checks.map(({ transactionId }) => transactionId)).toEqual(['old', 'ahead']);
    harness.advance(14_000);
    expect(harness.checks.map(({ transactionId }) => transactionId)).toEqual(['old', 'ahead', 'patient']);
  });

  it('can only be ended by an answer to a check once their recovery duration is over', () => {
    const harness = new EngineHarness();
    harness.engine.declareTopic({ name: 't', type: 'transaction', queues: 1 });
    harness.send('t', 'm', HALF, 10_000);
    harness.advance(10_001);
    harness.end('t', 'm', 'commit');
    expect(messagesOf(harness.store, 't')).toEqual([]);
    harness.end('t', 'm', 'commit', true);
    expect(messagesOf(harness.store, 't')).toHaveLength(1);
  });

  it('cannot be ended once the transaction has expired, until the next check', () => {
    const harness = new EngineHarness();
    harness.send('t', 'm', HALF, 3_600_000);
    harness.advance(30_000);
    expect(() => harness.end('t', 'm', 'commit')).toThrow('cannot found transaction data');
    harness.advance(3_600_000);
    harness.end('t', 'm', 'commit', true);
    expect(harness.popIds('t', 'g')).toEqual(['m1']);
    expect(() => harness.end('t', 'm', 'commit')).toThrow('cannot found transaction data');
  });

  it('stay half when the end has no resolution, which uses that end up', () => {
    const harness = new EngineHarness();
    harness.send('t', 'm', HALF);
    harness.end('t', 'm', 'unspecified');
    expect(() => harness.end('t', 'm', 'commit')).toThrow('cannot found transaction data');
    harness.advance(6_000);
    harness.end('t', 'm', 'commit');
    expect(harness.popIds('t', 'g')).toEqual(['m1']);
  });

  it('can be ended once for the message and once more for each check, until an end resolves them', () => {
    const harness = new EngineHarness();
    harness.send('t', 'm', HALF);
    harness.advance(6_000);
    harness.end('t', 'm', 'unspecified');
    harness.end('t', 'm', 'unspecified');
    expect(() => harness.end('t', 'm', 'unspecified')).toThrow('cannot found transaction data');
    harness.advance(30_000);
    harness.end('t', 'm', 'commit');
    expect(harness.popIds('t', 'g')).toEqual(['m1']);
  });

  it('with one id are two transactions, and both can be committed', () => {
    const harness = new EngineHarness();
    harness.send('t', 'm', HALF);
    harness.send('t', 'm', HALF);
    harness.end('t', 'm', 'commit');
    harness.end('t', 'm', 'commit');
    expect(harness.popIds('t', 'g')).toEqual(['m1', 'm1']);
  });
});
