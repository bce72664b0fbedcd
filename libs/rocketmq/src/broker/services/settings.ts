// The response to a client's settings: the same settings, with the server's values where it has them (PROTOCOL 3.4).

import { toDuration } from '../../protocol/grpc/duration.js';
import type { RetryPolicy, Settings } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { LIMITS } from '../../protocol/model/limits.js';
import { DEFAULT_LITE_QUOTA } from '../../protocol/model/lite-group.js';
import type { BackoffPolicy } from '../../support/backoff.js';
import type { GroupRecord } from '../store/records.js';

/** The settings that the real server sends to every producer. */
const PRODUCER_RETRY = {
  maxAttempts: 3,
  backoff: { kind: 'exponential', initialMs: 10, maxMs: 1_000, multiplier: 2 },
} as const;

export function producerSettings(sent: Settings): Settings {
  if (sent.pubSub?.$case !== 'publishing') return sent;
  return {
    ...sent,
    backoffPolicy: retryPolicy(PRODUCER_RETRY.maxAttempts, PRODUCER_RETRY.backoff),
    pubSub: {
      $case: 'publishing',
      value: { ...sent.pubSub.value, maxBodySize: LIMITS.bodyBytes, validateMessageType: true },
    },
    metric: { on: false },
  };
}

export function consumerSettings(sent: Settings, group: GroupRecord): Settings {
  if (sent.pubSub?.$case !== 'subscription') return sent;
  return {
    ...sent,
    backoffPolicy: retryPolicy(group.maxDeliveryAttempts, group.backoff),
    pubSub: {
      $case: 'subscription',
      value: {
        ...sent.pubSub.value,
        fifo: group.fifo,
        receiveBatchSize: LIMITS.receiveBatchSize,
        longPollingTimeout: toDuration(LIMITS.longPollingMaxMs),
        // For every group, as on the real server since 5.5.0: clients detect support for `suspend` by these fields.
        liteSubscriptionQuota: group.lite?.subscriptionQuota ?? DEFAULT_LITE_QUOTA,
        maxLiteTopicSize: LIMITS.liteTopicLength,
      },
    },
    metric: { on: false },
  };
}

function retryPolicy(maxAttempts: number, backoff: BackoffPolicy): RetryPolicy {
  if (backoff.kind === 'customized') {
    const next = backoff.nextMs.map(toDuration);
    return { maxAttempts, strategy: { $case: 'customizedBackoff', value: { next } } };
  }
  const { initialMs, maxMs, multiplier } = backoff;
  const value = { initial: toDuration(initialMs), max: toDuration(maxMs), multiplier };
  return { maxAttempts, strategy: { $case: 'exponentialBackoff', value } };
}
