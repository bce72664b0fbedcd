// The settings of a consumer group on one broker, as the gateway keeps and announces them.

import { isDeepStrictEqual } from 'node:util';
import { toDuration } from '../protocol/grpc/duration.js';
import type { RetryPolicy } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { LiteGroup } from '../protocol/model/lite-group.js';
import type { BackoffPolicy } from '../support/backoff.js';
import type { BrokerAbilities } from './broker-release.js';

/** What a consumer group is like on one broker. */
export interface GroupSettings {
  readonly isOrdered: boolean;
  /** Its binding to lite topics; undefined for an ordinary group. */
  readonly lite: Required<LiteGroup> | undefined;
  readonly maxAttempts: number;
  readonly backoff: BackoffPolicy;
  readonly abilities: BrokerAbilities;
  /** When the broker said so, in monotonic real time. */
  readonly learntAtMs: number;
}

/** Whether anything but the time is other than before. */
export function isOther(before: GroupSettings, now = before): boolean {
  return !isDeepStrictEqual({ ...before, learntAtMs: 0 }, { ...now, learntAtMs: 0 });
}

export function retryPolicy(maxAttempts: number, backoff: BackoffPolicy): RetryPolicy {
  if (backoff.kind === 'customized') {
    return { maxAttempts, strategy: { $case: 'customizedBackoff', value: { next: backoff.nextMs.map(toDuration) } } };
  }
  const { initialMs, maxMs, multiplier } = backoff;
  const value = { initial: toDuration(initialMs), max: toDuration(maxMs), multiplier };
  return { maxAttempts, strategy: { $case: 'exponentialBackoff', value } };
}
