// The settings that a producer sends to the server, and what it adopts from the server's answer.

import { resource } from '../../client/route.js';
import { durationMs, toDuration } from '../../protocol/grpc/duration.js';
import type { Settings } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { LIMITS } from '../../protocol/model/limits.js';
import type { SendPolicy } from './send-attempts.js';

/**
 * The settings of a producer.
 * @param topics those whose checks this producer can answer: the server sends checks to every producer that lists a topic
 */
export function publishingSettings(
  namespace: string,
  maxAttempts: number,
  topics: readonly string[],
): Pick<Settings, 'pubSub' | 'backoffPolicy'> {
  return {
    backoffPolicy: {
      maxAttempts,
      strategy: {
        $case: 'exponentialBackoff',
        value: { initial: toDuration(0), max: toDuration(0), multiplier: 1 },
      },
    },
    pubSub: {
      $case: 'publishing',
      value: { topics: topics.map((topic) => resource(namespace, topic)), maxBodySize: 0, validateMessageType: true },
    },
  };
}

/** Adopts the server's limits and backoff. */
export function adoptSettings(policy: SendPolicy, { backoffPolicy, pubSub }: Settings): void {
  if (pubSub?.$case === 'publishing' && pubSub.value.maxBodySize > 0) {
    policy.maxBodyBytes = Math.min(pubSub.value.maxBodySize, LIMITS.receivedFrameBytes);
  }
  const strategy = backoffPolicy?.strategy;
  if (strategy?.$case !== 'exponentialBackoff') return;
  const { initial, max, multiplier } = strategy.value;
  if (initial === undefined || max === undefined) return;
  const [initialMs, maxMs] = [durationMs(initial), durationMs(max)];
  // Invalid values are ignored: the delay would be NaN.
  if (!(initialMs >= 0 && maxMs >= initialMs && multiplier >= 1)) return;
  policy.backoff = { kind: 'exponential', initialMs, maxMs, multiplier };
}
