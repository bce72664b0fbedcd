// How long to wait before the next attempt. Pure: no clock, no state.

import {
  anyObject,
  atLeast,
  type DeepCheck,
  type Fault,
  faultIn,
  listWhere,
  notNegative,
  type OptionChecks,
  oneOf,
} from './options.js';

/** Exponential backoff: starts at `initialMs` and is multiplied by `multiplier` each time, up to `maxMs`. */
export interface ExponentialBackoff {
  /** Exponential backoff. */
  readonly kind: 'exponential';
  /** The first delay, in milliseconds. */
  readonly initialMs: number;
  /** The longest delay, in milliseconds. */
  readonly maxMs: number;
  /** The factor by which each delay is longer than the one before. */
  readonly multiplier: number;
}

/** A list of delays; the last one repeats. */
export interface CustomizedBackoff {
  /** A list of delays. */
  readonly kind: 'customized';
  /** The delays in milliseconds, in order; the last one repeats. */
  readonly nextMs: readonly number[];
}

export type BackoffPolicy = ExponentialBackoff | CustomizedBackoff;

const EXPONENTIAL: OptionChecks<ExponentialBackoff> = {
  kind: oneOf('exponential'),
  initialMs: notNegative,
  maxMs: notNegative,
  multiplier: atLeast(1),
};

const CUSTOMIZED: OptionChecks<CustomizedBackoff> = { kind: oneOf('customized'), nextMs: delays };

/** Checks a list of delays in milliseconds. */
export function delays(value: unknown): string | undefined {
  const problem = listWhere('delays in milliseconds', (one) => notNegative(one) === undefined)(value);
  return problem ?? ((value as readonly unknown[]).length === 0 ? 'must contain at least one delay' : undefined);
}

/** Checks a policy, with all its fields. */
export const validBackoff: DeepCheck = (value) => {
  const wrong = anyObject(value);
  if (wrong !== undefined) return wrong;
  const { kind } = value as { readonly kind?: unknown };
  const problem = oneOf('exponential', 'customized')(kind);
  if (problem !== undefined) return { field: 'kind', problem };
  if (kind === 'customized') return faultIn(value as object, { options: CUSTOMIZED, required: ['nextMs'] });
  const required = Object.keys(EXPONENTIAL);
  return faultIn(value as object, { options: EXPONENTIAL, required, together: limitFault });
};

function limitFault({ initialMs, maxMs }: ExponentialBackoff): Fault | undefined {
  if (maxMs >= initialMs) return undefined;
  return { field: 'maxMs', problem: `must be at least initialMs (${initialMs}), not ${maxMs}` };
}

/** The delay after failed attempt number `attempt` (the first is 1). */
export function backoffMs(policy: BackoffPolicy, attempt: number): number {
  const index = Math.max(0, attempt - 1);
  switch (policy.kind) {
    case 'exponential':
      // Zero times infinity is NaN.
      return policy.initialMs === 0 ? 0 : Math.min(policy.initialMs * policy.multiplier ** index, policy.maxMs);
    case 'customized':
      return policy.nextMs[Math.min(index, policy.nextMs.length - 1)] ?? 0;
  }
}

/** Picks a random delay in the upper half of the given one, so that clients that failed together do not retry together. */
export function withJitter(waitMs: number, random: () => number): number {
  return waitMs * (0.5 + random() / 2);
}
