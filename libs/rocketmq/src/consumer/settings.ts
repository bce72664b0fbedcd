// What the server decides for a consumer group, from its answer to the settings.

import { durationMs } from '../protocol/duration.js';
import type { RetryPolicy, Settings } from '../protocol/generated/apache/rocketmq/v2/definition.js';
import { LIMITS } from '../protocol/limits.js';
import type { BackoffPolicy } from '../support/backoff.js';
import { HOUR_MS, SECOND_MS } from '../support/clock.js';

/** The group's rules as the server holds them. */
export interface ConsumerSettings {
  /** Whether the messages of a message group come one after another. */
  readonly isFifo: boolean;
  /** Deliveries of one message before it is a dead letter. */
  readonly maxAttempts: number;
  readonly backoff: BackoffPolicy;
  readonly receiveBatchSize: number;
  readonly longPollingTimeoutMs: number;
  /**
   * Whether a message that is handed back with `suspend` keeps its number of attempts. No server says so; one that knows the
   * field announces a quota of lite topics: 5.5.0 does, 5.4.0 and 5.3.3 do not (test/contract/consumer-control.spec.ts). Ordered
   * groups always count a hand-back.
   */
  readonly handsBackFree: boolean;
}

/** What Apache RocketMQ gives a group that says nothing else: 16 retries after the first delivery. */
export const DEFAULT_SETTINGS: ConsumerSettings = {
  isFifo: false,
  maxAttempts: 17,
  backoff: { kind: 'exponential', initialMs: 5 * SECOND_MS, maxMs: 2 * HOUR_MS, multiplier: 2 },
  receiveBatchSize: LIMITS.receiveBatchSize,
  longPollingTimeoutMs: LIMITS.longPollingMaxMs,
  handsBackFree: false,
};

/** Reads the answer; what the server left out has its default. */
export function consumerSettings({ backoffPolicy, pubSub }: Settings): ConsumerSettings {
  const subscription = pubSub?.$case === 'subscription' ? pubSub.value : undefined;
  const { longPollingTimeout, receiveBatchSize } = subscription ?? {};
  return {
    isFifo: subscription?.fifo ?? DEFAULT_SETTINGS.isFifo,
    maxAttempts: backoffPolicy?.maxAttempts || DEFAULT_SETTINGS.maxAttempts,
    backoff: backoffOf(backoffPolicy) ?? DEFAULT_SETTINGS.backoff,
    receiveBatchSize: Math.min(receiveBatchSize || DEFAULT_SETTINGS.receiveBatchSize, LIMITS.receiveBatchSize),
    longPollingTimeoutMs:
      longPollingTimeout === undefined ? DEFAULT_SETTINGS.longPollingTimeoutMs : durationMs(longPollingTimeout),
    handsBackFree: subscription?.fifo !== true && subscription?.liteSubscriptionQuota !== undefined,
  };
}

function backoffOf(policy: RetryPolicy | undefined): BackoffPolicy | undefined {
  const strategy = policy?.strategy;
  if (strategy?.$case === 'customizedBackoff') {
    const nextMs = strategy.value.next.map(durationMs);
    return nextMs.length === 0 ? undefined : { kind: 'customized', nextMs };
  }
  if (strategy?.$case !== 'exponentialBackoff') return undefined;
  const { initial, max, multiplier } = strategy.value;
  if (initial === undefined || max === undefined) return undefined;
  return { kind: 'exponential', initialMs: durationMs(initial), maxMs: durationMs(max), multiplier };
}
