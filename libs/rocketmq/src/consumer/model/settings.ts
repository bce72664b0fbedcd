// The server's settings of a consumer group, read from its answer to the client's settings.

import { durationMs } from '../../protocol/grpc/duration.js';
import type { RetryPolicy, Settings } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { LIMITS } from '../../protocol/model/limits.js';
import { DEFAULT_LITE_QUOTA } from '../../protocol/model/lite-group.js';
import type { BackoffPolicy } from '../../support/backoff.js';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../support/clock.js';

/** The rules of the group on one server. */
export interface ConsumerSettings extends LiteLimits {
  /** Whether the messages of a message group are delivered one after another. */
  readonly isFifo: boolean;
  /** Deliveries of one message before it is dead-lettered. Below 1, the server delivers none. */
  readonly maxAttempts: number;
  readonly backoff: BackoffPolicy;
  readonly receiveBatchSize: number;
  readonly longPollingTimeoutMs: number;
  /** Whether the consumer receives lite topics. */
  readonly isLite: boolean;
}

/** The limits of lite topics on the server. */
export interface LiteLimits {
  /** How many lite topics a consumer may subscribe to. */
  readonly liteSubscriptionQuota: number;
  /** The longest name of a lite topic, in characters. */
  readonly maxLiteTopicLength: number;
}

/** Apache RocketMQ's default for a group: 16 retries after the first delivery. */
export const DEFAULT_SETTINGS: ConsumerSettings = {
  isFifo: false,
  maxAttempts: 17,
  backoff: { kind: 'exponential', initialMs: 5 * SECOND_MS, maxMs: 2 * HOUR_MS, multiplier: 2 },
  receiveBatchSize: LIMITS.receiveBatchSize,
  longPollingTimeoutMs: LIMITS.longPollingMaxMs,
  isLite: false,
  liteSubscriptionQuota: DEFAULT_LITE_QUOTA,
  maxLiteTopicLength: LIMITS.liteTopicLength,
};

/** With less, a failing handler of an ordered group would run without a pause. */
const MIN_BACKOFF_MS = 10;
/** Longer lists are cut: the last delay repeats. */
const MAX_WAITS = 256;
/** Longer than any server polls (`grpcClientConsumerMaxLongPollingTimeoutMillis` is 20 s by default). */
const MAX_POLL_MS = MINUTE_MS;

/** Reads the answer; missing or invalid values get their defaults, but a server that says 0 attempts or less is taken at its word. */
export function consumerSettings({ backoffPolicy, pubSub }: Settings): ConsumerSettings {
  const subscription = pubSub?.$case === 'subscription' ? pubSub.value : undefined;
  const { longPollingTimeout, receiveBatchSize = 0 } = subscription ?? {};
  const pollMs = longPollingTimeout === undefined ? Number.NaN : durationMs(longPollingTimeout);
  return {
    isFifo: subscription?.fifo ?? DEFAULT_SETTINGS.isFifo,
    maxAttempts: backoffPolicy?.maxAttempts ?? DEFAULT_SETTINGS.maxAttempts,
    backoff: backoffOf(backoffPolicy) ?? DEFAULT_SETTINGS.backoff,
    receiveBatchSize:
      receiveBatchSize > 0 ? Math.min(receiveBatchSize, LIMITS.receiveBatchSize) : DEFAULT_SETTINGS.receiveBatchSize,
    longPollingTimeoutMs:
      pollMs > 0
        ? Math.min(Math.max(pollMs, LIMITS.longPollingMinMs), MAX_POLL_MS)
        : DEFAULT_SETTINGS.longPollingTimeoutMs,
    isLite: false,
    liteSubscriptionQuota: subscription?.liteSubscriptionQuota ?? DEFAULT_SETTINGS.liteSubscriptionQuota,
    maxLiteTopicLength: subscription?.maxLiteTopicSize ?? DEFAULT_SETTINGS.maxLiteTopicLength,
  };
}

/**
 * Reads the answer to a consumer of lite topics. Servers hand out the messages of a lite topic like those of a queue of an ordered group,
 * whatever the group says: nothing follows before all that was handed out is settled, and what is redelivered starts at the first
 * unsettled one.
 */
export function liteConsumerSettings(settings: Settings): ConsumerSettings {
  return { ...consumerSettings(settings), isFifo: true, isLite: true };
}

function backoffOf(policy: RetryPolicy | undefined): BackoffPolicy | undefined {
  const strategy = policy?.strategy;
  if (strategy?.$case === 'customizedBackoff') {
    const nextMs = strategy.value.next.slice(0, MAX_WAITS).map(durationMs);
    if (nextMs.length === 0 || !nextMs.every(isWait)) return undefined;
    return { kind: 'customized', nextMs: nextMs.map(atLeast) };
  }
  if (strategy?.$case !== 'exponentialBackoff') return undefined;
  const { initial, max, multiplier } = strategy.value;
  if (initial === undefined || max === undefined) return undefined;
  const [initialMs, maxMs] = [durationMs(initial), durationMs(max)];
  if (!isWait(initialMs) || !isWait(maxMs) || maxMs < initialMs || !(multiplier >= 1)) return undefined;
  return { kind: 'exponential', initialMs: atLeast(initialMs), maxMs: atLeast(maxMs), multiplier };
}

const isWait = (ms: number): boolean => ms >= 0 && Number.isFinite(ms);
const atLeast = (ms: number): number => Math.max(MIN_BACKOFF_MS, ms);
