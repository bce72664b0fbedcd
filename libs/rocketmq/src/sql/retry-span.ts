// How long a message may be redelivered, which records of it must outlive.

import { LIMITS } from '../protocol/model/limits.js';
import { type BackoffPolicy, backoffMs } from '../support/backoff.js';
import { DAY_MS, HOUR_MS, SECOND_MS } from '../support/clock.js';
import { UsageError } from '../support/errors.js';
import { checkedPositive, checkedPositiveInteger } from '../support/options.js';

/** Delays in milliseconds: constant, listed (the last one repeats), or exponential. */
export type Waits = number | readonly number[] | BackoffPolicy;

/** The timing of retries of a consumer group. */
export interface RetryPolicy {
  /** Deliveries of a message before it is dead-lettered. Default 17, the default of Apache RocketMQ for a group. */
  readonly maxAttempts?: number;
  /** The delays between attempts, in milliseconds. Default: 5 s, doubled up to 2 h, the longest of the server's own policies. */
  readonly backoff?: Waits;
  /** How long one attempt may take: the timeout of a handler, or the lease of a process that crashed. Default 30 s. */
  readonly attemptMs?: number;
}

const DEFAULT_MAX_ATTEMPTS = 17;
const DEFAULT_BACKOFF = { kind: 'exponential', initialMs: 5 * SECOND_MS, maxMs: 2 * HOUR_MS, multiplier: 2 } as const;
const DEFAULT_ATTEMPT_MS = 30 * SECOND_MS;

/**
 * The longest time from the first attempt at a message to the end of its last one, in milliseconds. It does not include the delays of
 * a `RetryLaterError`, times without a running consumer, a rewound group, or replayed dead letters.
 * @throws UsageError that names the field
 */
export function retrySpanMs(policy: RetryPolicy = {}): number {
  const maxAttempts = checkedPositiveInteger('maxAttempts', policy.maxAttempts ?? DEFAULT_MAX_ATTEMPTS);
  const attemptMs = checkedPositive('attemptMs', policy.attemptMs ?? DEFAULT_ATTEMPT_MS);
  const backoff = backoffPolicyOf(policy.backoff ?? DEFAULT_BACKOFF);
  let spanMs = maxAttempts * attemptMs;
  for (let attempt = 1; attempt < maxAttempts; attempt++) {
    spanMs += Math.min(backoffMs(backoff, attempt), LIMITS.invisibleDurationMaxMs);
  }
  return spanMs;
}

const MAX_WAIT_MS = 365 * DAY_MS;

/** @throws UsageError that names `backoff`, if it has no valid delay */
export function backoffPolicyOf(waits: Waits): BackoffPolicy {
  const policy = asPolicy(waits);
  const listed = policy.kind === 'customized' ? policy.nextMs : [backoffMs(policy, 1), backoffMs(policy, 2)];
  if (listed.length > 0 && listed.every((waitMs) => waitMs >= 0 && waitMs <= MAX_WAIT_MS)) return policy;
  const text = `option backoff must contain delays from 0 milliseconds to a year, not ${JSON.stringify(waits)}`;
  throw new UsageError('ILLEGAL_OPTION', text, 'backoff');
}

function asPolicy(waits: Waits): BackoffPolicy {
  if (typeof waits === 'number') return { kind: 'customized', nextMs: [waits] };
  return 'kind' in waits ? waits : { kind: 'customized', nextMs: waits };
}
