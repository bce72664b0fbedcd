import { describe, expect, it } from '@jest/globals';
import { HOUR_MS, MINUTE_MS } from '../../support/clock.js';
import { TransportError } from '../../support/errors.js';
import { type FailedAttempt, settlementAfterFailure } from './failure-policy.js';
import { DeadLetterError, RetryLaterError } from './outcome-errors.js';

const attempt = {
  error: new Error('no stock'),
  attempt: 1,
  attemptsOfServer: 3,
  finished: 1,
  wait: 1,
  backoff: { kind: 'customized', nextMs: [1_000, 5_000] } as const,
};

describe('the settlement after a failed attempt', () => {
  it('is a retry by the backoff in force, growing with the attempt', () => {
    expect(settlementAfterFailure(attempt)).toEqual({ kind: 'retry', delayMs: 1_000 });
    expect(settlementAfterFailure({ ...attempt, attempt: 2, wait: 2 })).toEqual({ kind: 'retry', delayMs: 5_000 });
  });

  it('is a dead letter once the last allowed attempt has failed', () => {
    const exhausted = { kind: 'deadLetter', reason: 'attempts-exhausted' };
    expect(settlementAfterFailure({ ...attempt, attempt: 3 })).toEqual(exhausted);
    expect(settlementAfterFailure({ ...attempt, attempt: 4 })).toEqual(exhausted);
  });

  it('is a dead letter once a handler has finished as many attempts as the listener allows, however many deliveries there were', () => {
    const listener = { ...attempt, attemptsOfServer: 17, maxAttempts: 3 };
    expect(settlementAfterFailure({ ...listener, attempt: 9, finished: 2 }).kind).toBe('retry');
    const exhausted = { kind: 'deadLetter', reason: 'attempts-exhausted' };
    expect(settlementAfterFailure({ ...listener, attempt: 9, finished: 3 })).toEqual(exhausted);
  });

  it('is a retry at once when the attempt was interrupted, although it was the last one', () => {
    const interrupted = { ...attempt, attempt: 3, finished: 2, maxAttempts: 2, wasInterrupted: true };
    expect(settlementAfterFailure(interrupted)).toEqual({ kind: 'retry', delayMs: 0 });
  });

  it('is a dead letter at once when the handler throws a DeadLetterError', () => {
    const error = new DeadLetterError();
    expect(settlementAfterFailure({ ...attempt, error })).toEqual({ kind: 'deadLetter', reason: 'handler-decided' });
  });

  it('is a retry after the delay that the handler requests', () => {
    const error = new RetryLaterError({ delayMs: MINUTE_MS });
    expect(settlementAfterFailure({ ...attempt, error })).toEqual({ kind: 'retry', delayMs: MINUTE_MS });
  });

  it('cuts the delay that the handler requests to the limit of the server', () => {
    const error = new RetryLaterError({ delayMs: 48 * HOUR_MS });
    expect(settlementAfterFailure({ ...attempt, error })).toEqual({ kind: 'retry', delayMs: 12 * HOUR_MS });
  });

  it('is a dead letter when the handler requests a delay after its last attempt', () => {
    const error = new RetryLaterError({ delayMs: MINUTE_MS });
    const settlement = settlementAfterFailure({ ...attempt, attempt: 3, error });
    expect(settlement).toEqual({ kind: 'deadLetter', reason: 'attempts-exhausted' });
  });

  it('is a retry, however many attempts there were, when the handler asks that this one does not count', () => {
    const error = new RetryLaterError({ delayMs: MINUTE_MS, countsAsAttempt: false });
    const later = { kind: 'retry', delayMs: MINUTE_MS };
    const last = { ...attempt, attempt: 3, finished: 5, maxAttempts: 5, error };
    expect(settlementAfterFailure(last)).toEqual(later);
    expect(settlementAfterFailure({ ...last, attempt: 2, isCountedAnyway: true })).toEqual(later);
    const exhausted = { kind: 'deadLetter', reason: 'attempts-exhausted' };
    expect(settlementAfterFailure({ ...last, isCountedAnyway: true })).toEqual(exhausted);
  });

  it('is a dead letter for an error that is not to be retried, by class or by function', () => {
    const hopeless = { kind: 'deadLetter', reason: 'not-retryable' };
    const other = new TypeError('other');
    expect(settlementAfterFailure({ ...attempt, error: other, deadLetterOn: [TypeError] })).toEqual(hopeless);
    expect(settlementAfterFailure({ ...attempt, deadLetterOn: [TypeError] }).kind).toBe('retry');
    expect(settlementAfterFailure({ ...attempt, error: other, retryOn: [RangeError] })).toEqual(hopeless);
    expect(settlementAfterFailure({ ...attempt, error: other, retryOn: (error) => error === other }).kind).toBe(
      'retry',
    );
    expect(settlementAfterFailure({ ...attempt, error: other, retryOn: [Error], deadLetterOn: [TypeError] })).toEqual(
      hopeless,
    );
  });

  it('is a retry nevertheless when the handler requests it, was interrupted, or failed with a transient error', () => {
    const retryOn = [RangeError];
    const kindOf = (more: Partial<FailedAttempt>) => settlementAfterFailure({ ...attempt, retryOn, ...more }).kind;
    expect(kindOf({ error: new RetryLaterError({ delayMs: 1 }) })).toBe('retry');
    expect(kindOf({ wasInterrupted: true })).toBe('retry');
    expect(kindOf({ error: new TransportError('UNAVAILABLE', 'away', 'not-sent', true) })).toBe('retry');
    const careless = (error: unknown) => (error as { response: { status: number } }).response.status < 500;
    expect(kindOf({ retryOn: undefined, deadLetterOn: careless })).toBe('retry');
    expect(kindOf({ error: new TransportError('TLS_FAILED', 'wrong key', 'not-sent', false) })).toBe('deadLetter');
  });

  it('recognizes the errors of another copy of this package by their brand', () => {
    const foreign = Object.assign(new Error('later'), {
      delayMs: 7,
      [Symbol.for('nestjs-rocketmq.retry-later')]: true,
    });
    expect(settlementAfterFailure({ ...attempt, error: foreign })).toEqual({ kind: 'retry', delayMs: 7 });
    const gone = Object.assign(new Error('gone'), { [Symbol.for('nestjs-rocketmq.dead-letter')]: true });
    expect(settlementAfterFailure({ ...attempt, error: gone }).kind).toBe('deadLetter');
  });

  it('rejects a retry without a valid delay', () => {
    expect(() => new RetryLaterError({ delayMs: Number.NaN })).toThrow('delayMs must be a number of at least 0');
  });
});
