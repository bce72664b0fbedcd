// A consumer group in the format of the broker, and its delivery settings. This file sends nothing.

import { DEFAULT_BACKOFF } from '../protocol/model/delay-levels.js';
import { LIMITS } from '../protocol/model/limits.js';
import type { LiteGroup } from '../protocol/model/lite-group.js';
import { fromLiteAttributes } from '../protocol/remoting/lite-attributes.js';
import type { BackoffPolicy } from '../support/backoff.js';
import { MINUTE_MS, SECOND_MS } from '../support/clock.js';
import { isIntegerFrom } from '../support/options.js';

/** The delivery settings of a consumer group. */
export interface GroupDelivery {
  readonly fifo: boolean;
  /**
   * Deliveries before a message becomes a dead letter: `retryMaxTimes` as it is stored, and one. Below 1 and above 2147483647, where the
   * number of a proxy overflows, a proxy delivers nothing: every message becomes a dead letter.
   */
  readonly maxDeliveryAttempts: number;
  readonly backoff: BackoffPolicy;
  /** Undefined: an ordinary group. */
  readonly lite: Required<LiteGroup> | undefined;
}

/** A consumer group in the format of the broker. @see SubscriptionGroupConfig of the server */
export interface GroupConfig {
  readonly groupName?: string;
  readonly consumeMessageOrderly?: boolean;
  readonly consumeBroadcastEnable?: boolean;
  readonly consumeEnable?: boolean;
  readonly retryMaxTimes?: number;
  readonly groupRetryPolicy?: GroupRetryPolicy;
  readonly attributes?: Readonly<Record<string, string>>;
  /** Whether it is that of a broker of 4.x. Set by the reader of the answer. */
  readonly isOf4?: boolean;
  readonly [otherField: string]: unknown;
}

export interface GroupRetryPolicy {
  readonly type?: 'EXPONENTIAL' | 'CUSTOMIZED';
  readonly exponentialRetryPolicy?: {
    readonly initial?: number;
    readonly max?: number;
    readonly multiplier?: number;
  } | null;
  readonly customizedRetryPolicy?: { readonly next?: readonly number[] } | null;
}

/** What the broker takes for a group without the setting. */
export const DEFAULT_RETRIES = 16;
/** The delivery settings of a group; the server's defaults for those that it does not have. */
export function deliveryOf(config: GroupConfig): GroupDelivery {
  return {
    fifo: config.consumeMessageOrderly ?? false,
    maxDeliveryAttempts: retriesOf(config) + 1,
    backoff: fromRetryPolicy(config.groupRetryPolicy),
    lite: fromLiteAttributes(config.attributes ?? {}),
  };
}

/** Whether the broker delivers nothing to the group. */
export function isPaused({ consumeEnable }: GroupConfig): boolean {
  return consumeEnable === false;
}

/** Whether a proxy delivers messages of a group with this many attempts. */
export function isDeliverable(maxDeliveryAttempts: number): boolean {
  return isIntegerFrom(maxDeliveryAttempts, 1, LIMITS.attempts);
}

/** Whether messages that a process releases become dead letters, though no handler has seen them: in an ordered group each release counts. */
export function losesWhatIsReleased({ fifo, lite, maxDeliveryAttempts }: GroupDelivery): boolean {
  // Of lite topics, no server dead-letters a message.
  return fifo && lite === undefined && maxDeliveryAttempts === 1;
}

/** The server's defaults for missing parts. @see GroupRetryPolicy.getRetryPolicy of the server */
function fromRetryPolicy(policy: GroupRetryPolicy | undefined): BackoffPolicy {
  if (policy?.type === 'EXPONENTIAL') {
    const { initial = 5 * SECOND_MS, max = 120 * MINUTE_MS, multiplier = 2 } = policy.exponentialRetryPolicy ?? {};
    return { kind: 'exponential', initialMs: initial, maxMs: max, multiplier };
  }
  const next = policy?.customizedRetryPolicy?.next;
  return next === undefined ? DEFAULT_BACKOFF : { kind: 'customized', nextMs: next };
}

function retriesOf({ retryMaxTimes }: GroupConfig): number {
  return isIntegerFrom(retryMaxTimes, -LIMITS.attempts - 1, LIMITS.attempts) ? retryMaxTimes : DEFAULT_RETRIES;
}
