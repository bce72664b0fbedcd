import { describe, expect, it } from '@jest/globals';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import { type MessageRetries, retriesOf, retryProperties } from './message-retries.js';

describe('the retries of one message', () => {
  it.each<[MessageRetries, object]>([
    [{}, {}],
    [{ maxAttempts: 2 }, { maxAttempts: 2 }],
    [{ backoff: MINUTE_MS }, { backoff: { kind: 'customized', nextMs: [MINUTE_MS] } }],
    [
      { maxAttempts: 1, backoff: [0, 0.6, 12 * HOUR_MS] },
      { maxAttempts: 1, backoff: { kind: 'customized', nextMs: [0, 1, 12 * HOUR_MS] } },
    ],
    [{ backoff: Array(32).fill(12 * HOUR_MS) }, { backoff: { nextMs: Array(32).fill(12 * HOUR_MS) } }],
  ])('arrive as they were sent: %o', (retries, received) => {
    expect(retriesOf(retryProperties(retries))).toMatchObject(received);
    expect(Object.keys(retriesOf(retryProperties(retries)))).toEqual(Object.keys(received));
  });

  it.each<[object, string]>([
    [{ maxAttempts: 0 }, 'option maxAttempts must be an integer of at least 1, not 0'],
    [{ backoff: -1 }, 'option backoff must be a number of at least 0, not -1'],
    [{ backoff: [] }, 'option backoff must contain at least one delay'],
    [{ backoff: DAY_MS }, 'option backoff must be at most 43200000 (12 h), not 86400000'],
    [{ backoff: Array(33).fill(1) }, 'option backoff must have at most 32 delays, not 33'],
    [{ backoff: '5' }, 'option backoff must be milliseconds or a list of them, not "5"'],
    [{ attempts: 2 }, 'option attempts is unknown'],
  ])('are rejected when they make no sense: %o', (retries, problem) => {
    expect(() => retryProperties(retries as MessageRetries)).toThrow(`retryProperties: ${problem}`);
  });

  it.each([
    { RETRY_MAX_ATTEMPTS: '', RETRY_BACKOFF_MS: '' },
    { RETRY_MAX_ATTEMPTS: '0', RETRY_BACKOFF_MS: '1,,2' },
    { RETRY_MAX_ATTEMPTS: '-1', RETRY_BACKOFF_MS: '-1' },
    { RETRY_MAX_ATTEMPTS: '2.5', RETRY_BACKOFF_MS: '1e3' },
    { RETRY_MAX_ATTEMPTS: '99999999999', RETRY_BACKOFF_MS: String(DAY_MS) },
    { RETRY_MAX_ATTEMPTS: 'two', RETRY_BACKOFF_MS: Array(33).fill('1').join() },
    { RETRY_BACKOFF_MS: '1,'.repeat(100_000) },
  ])('are those of the listener where they cannot be read (%#)', (properties) => {
    expect(retriesOf(properties as Record<string, string>)).toEqual({});
  });

  it('has a policy without either in a message of anybody else', () => {
    expect(retriesOf({ p: 'q', backoff: String(SECOND_MS) })).toEqual({});
  });
});
