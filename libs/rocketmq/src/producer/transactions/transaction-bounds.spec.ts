import { describe, expect, it } from '@jest/globals';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import { assertOptions } from '../../support/options.js';
import { TRANSACTION_TIMES, TransactionBounds, type TransactionTimes } from './transaction-bounds.js';

const checking = (times: TransactionTimes) => () => assertOptions(times, TRANSACTION_TIMES);

describe('the timeouts of transactions', () => {
  it('default to five minutes, and leave the first check to the server', () => {
    const bounds = new TransactionBounds({});
    expect([bounds.timeoutMs, bounds.firstCheckAfterMs]).toEqual([5 * MINUTE_MS, undefined]);
    expect(bounds.isTooLateToEnd(HOUR_MS)).toBe(false);
  });

  it('leave ten seconds between the end of the local transaction and the first check', () => {
    const localTransactionTimeoutMs = MINUTE_MS;
    const firstCheckAfterMs = 70 * SECOND_MS;
    const longEnough = { localTransactionTimeoutMs, firstCheckAfterMs };
    expect(checking(longEnough)).not.toThrow();
    expect(new TransactionBounds(longEnough).firstCheckAfterMs).toBe(70_000);
    const tooShort = { localTransactionTimeoutMs, firstCheckAfterMs: firstCheckAfterMs - 1 };
    expect(checking(tooShort)).toThrow('option firstCheckAfterMs must be 70000');
  });

  it('accept a first check within the hour that a server accepts', () => {
    expect(checking({ firstCheckAfterMs: HOUR_MS + 1 })).toThrow('to 3600000');
    expect(checking({ firstCheckAfterMs: Number.NaN })).toThrow('option firstCheckAfterMs');
    expect(checking({ localTransactionTimeoutMs: 0 })).toThrow('option localTransactionTimeoutMs');
  });

  it('give a checker ten seconds, or the configured time within that of the server', () => {
    expect(new TransactionBounds({}).checkTimeoutMs).toBe(10_000);
    expect(new TransactionBounds({ checkTimeoutMs: 25_000 }).checkTimeoutMs).toBe(25_000);
    expect(checking({ checkTimeoutMs: 25_000 })).not.toThrow();
    expect(checking({ checkTimeoutMs: 25_001 })).toThrow(
      'option checkTimeoutMs must be a number above 0 and at most 25000, because the server drops a check soon after that, not 25001',
    );
    expect(checking({ checkTimeoutMs: 0 })).toThrow('option checkTimeoutMs');
  });

  it('consider that a local transaction may still be running until its timeout, on a clock that is a second behind', () => {
    const bounds = new TransactionBounds({ localTransactionTimeoutMs: MINUTE_MS });
    expect([bounds.mayStillRun(1_000, 61_999), bounds.mayStillRun(1_000, 62_000)]).toEqual([true, false]);
  });

  it('leave an end to the check if it may reach the server after the first check is due', () => {
    const bounds = new TransactionBounds({ localTransactionTimeoutMs: MINUTE_MS, firstCheckAfterMs: 70_000 });
    expect([bounds.isTooLateToEnd(60_000), bounds.isTooLateToEnd(60_001)]).toEqual([false, true]);
  });
});
