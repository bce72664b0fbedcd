// How long to wait before the next attempt. Pure: no clock, no state.

/** Growing waits: `initialMs`, then times `multiplier` each, never over `maxMs`. */
export interface ExponentialBackoff {
  /** Growing waits. */
  readonly kind: 'exponential';
  /** The first wait. */
  readonly initialMs: number;
  /** No wait is longer. */
  readonly maxMs: number;
  /** By which each wait is longer than the one before. */
  readonly multiplier: number;
}

/** Listed waits; the last one repeats. */
export interface CustomizedBackoff {
  /** Listed waits. */
  readonly kind: 'customized';
  /** The waits, one after the other; the last one repeats. */
  readonly nextMs: readonly number[];
}

export type BackoffPolicy = ExponentialBackoff | CustomizedBackoff;

/** The wait after failed attempt number `attempt` (the first is 1). */
export function backoffMs(policy: BackoffPolicy, attempt: number): number {
  const index = Math.max(0, attempt - 1);
  switch (policy.kind) {
    case 'exponential':
      // Zero times infinity is no number.
      return policy.initialMs === 0 ? 0 : Math.min(policy.initialMs * policy.multiplier ** index, policy.maxMs);
    case 'customized':
      return policy.nextMs[Math.min(index, policy.nextMs.length - 1)] ?? 0;
  }
}

/** Spreads a wait over its upper half, so that clients which failed together do not come back together. */
export function withJitter(waitMs: number, random: () => number): number {
  return waitMs * (0.5 + random() / 2);
}
