// How long a message may keep coming again: what a record of it must outlive.

import { LIMITS } from '../protocol/model/limits.js';
import { type BackoffPolicy, backoffMs } from '../support/backoff.js';
import { HOUR_MS, SECOND_MS } from '../support/clock.js';
import { UsageError } from '../support/errors.js';
import { positive, positiveInteger } from '../support/options.js';

/** Waits in milliseconds: always the same, one after the other (the last one repeats), or growing. */
export type Waits = number | readonly number[] | BackoffPolicy;

/** When failed messages of a consumer group come again: its failure policy, as far as time goes. */
export interface RetryPolicy {
  /** Deliveries of a message before it is a dead letter. Default 17, what Apache RocketMQ gives a group. */
  readonly maxAttempts?: number;
  /** The waits between attempts in milliseconds. Default: 5 s, doubled up to 2 h, the longest of the server's own policies. */
  readonly backoff?: Waits;
  /** How long one attempt may take: a handler's time-out, or the lease of a process that died. Default 30 s. */
  readonly attemptMs?: number;
}

const DEFAULT_MAX_ATTEMPTS = 17;
const DEFAULT_BACKOFF = { kind: 'exponential', initialMs: 5 * SECOND_MS, maxMs: 2 * HOUR_MS, multiplier: 2 } as const;
const DEFAULT_ATTEMPT_MS = 30 * SECOND_MS;

/**
 * The longest time from the first attempt at a message to the end of its last one, in milliseconds. What it cannot know: the
 * waits of a `RetryLaterError`, the time for which nobody consumes, a group that is rewound, a dead letter that is sent again.
 * @throws UsageError that names the field
 */
export function retrySpanMs(policy: RetryPolicy = {}): number {
  const maxAttempts = positiveInteger('maxAttempts', policy.maxAttempts ?? DEFAULT_MAX_ATTEMPTS);
  const attemptMs = positive('attemptMs', policy.attemptMs ?? DEFAULT_ATTEMPT_MS);
  const backoff = backoffPolicyOf(policy.backoff ?? DEFAULT_BACKOFF);
  let spanMs = maxAttempts * attemptMs;
  for (let attempt = 1; attempt < maxAttempts; attempt++) {
    spanMs += Math.min(backoffMs(backoff, attempt), LIMITS.invisibleDurationMaxMs);
  }
  return spanMs;
}

/** @throws UsageError that names `backoff`, when it gives no wait */
export function backoffPolicyOf(waits: Waits): BackoffPolicy {
  const policy = asPolicy(waits);
  const listed = policy.kind === 'customized' ? policy.nextMs : [backoffMs(policy, 1), backoffMs(policy, 2)];
  if (listed.length > 0 && listed.every((waitMs) => Number.isFinite(waitMs) && waitMs >= 0)) return policy;
  const text = `option backoff must hold waits in milliseconds, from 0 on, not ${JSON.stringify(waits)}`;
  throw new UsageError('ILLEGAL_OPTION', text, 'backoff');
}

function asPolicy(waits: Waits): BackoffPolicy {
  if (typeof waits === 'number') return { kind: 'customized', nextMs: [waits] };
  return 'kind' in waits ? waits : { kind: 'customized', nextMs: waits };
}
