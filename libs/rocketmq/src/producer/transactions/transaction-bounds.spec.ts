import { describe, expect, it } from '@jest/globals';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import { TransactionBounds } from './transaction-bounds.js';

describe('the times of transactions', () => {
  it('are five minutes, and the first check is the affair of the server, unless told otherwise', () => {
    const bounds = new TransactionBounds({});
    expect([bounds.timeoutMs, bounds.firstCheckAfterMs]).toEqual([5 * MINUTE_MS, undefined]);
    expect(bounds.isTooLateToEnd(HOUR_MS)).toBe(false);
  });

  it('leave ten seconds between the end of the local transaction and the first check', () => {
    const localTransactionTimeoutMs = MINUTE_MS;
    const firstCheckAfterMs = 70 * SECOND_MS;
    expect(new TransactionBounds({ localTransactionTimeoutMs, firstCheckAfterMs }).firstCheckAfterMs).toBe(70_000);
    const tooShort = { localTransactionTimeoutMs, firstCheckAfterMs: firstCheckAfterMs - 1 };
    expect(() => new TransactionBounds(tooShort)).toThrow('option firstCheckAfterMs must be 70000');
  });

  it('take a first check within the hour that a server takes', () => {
    expect(() => new TransactionBounds({ firstCheckAfterMs: HOUR_MS + 1 })).toThrow('to 3600000');
    expect(() => new TransactionBounds({ firstCheckAfterMs: Number.NaN })).toThrow('option firstCheckAfterMs');
    expect(() => new TransactionBounds({ localTransactionTimeoutMs: 0 })).toThrow('option localTransactionTimeoutMs');
  });

  it('give a checker ten seconds, or what they are set to, within the time that the server waits for an answer', () => {
    expect(new TransactionBounds({}).checkTimeoutMs).toBe(10_000);
    expect(new TransactionBounds({ checkTimeoutMs: 25_000 }).checkTimeoutMs).toBe(25_000);
    expect(() => new TransactionBounds({ checkTimeoutMs: 25_001 })).toThrow(
      'option checkTimeoutMs must be at most 25000',
    );
    expect(() => new TransactionBounds({ checkTimeoutMs: 0 })).toThrow('option checkTimeoutMs');
  });

  it('hold that a local transaction may still run for as long as it may take, by a clock that is a second behind', () => {
    const bounds = new TransactionBounds({ localTransactionTimeoutMs: MINUTE_MS });
    expect([bounds.mayStillRun(1_000, 61_999), bounds.mayStillRun(1_000, 62_000)]).toEqual([true, false]);
  });

  it('leave an end to the check when it may reach the server after the first check is due', () => {
    const bounds = new TransactionBounds({ localTransactionTimeoutMs: MINUTE_MS, firstCheckAfterMs: 70_000 });
    expect([bounds.isTooLateToEnd(60_000), bounds.isTooLateToEnd(60_001)]).toEqual([false, true]);
  });
});
