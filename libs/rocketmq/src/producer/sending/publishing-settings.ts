// What a producer tells the server of itself, and what it takes from the server's answer.

import { resource } from '../../client/route.js';
import { durationMs, toDuration } from '../../protocol/grpc/duration.js';
import type { Settings } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { LIMITS } from '../../protocol/model/limits.js';
import type { SendPolicy } from './send-attempts.js';

/**
 * The settings of a producer.
 * @param topics checks reach every producer that lists a topic, so only those it can answer for
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

/** Takes the server's limits and pace. */
export function adoptSettings(policy: SendPolicy, { backoffPolicy, pubSub }: Settings): void {
  if (pubSub?.$case === 'publishing' && pubSub.value.maxBodySize > 0) {
    policy.maxBodyBytes = Math.min(pubSub.value.maxBodySize, LIMITS.receivedFrameBytes);
  }
  const strategy = backoffPolicy?.strategy;
  if (strategy?.$case !== 'exponentialBackoff') return;
  const { initial, max, multiplier } = strategy.value;
  if (initial === undefined || max === undefined) return;
  const [initialMs, maxMs] = [durationMs(initial), durationMs(max)];
  // What makes no sense is not taken: the wait would be no number.
  if (!(initialMs >= 0 && maxMs >= initialMs && multiplier >= 1)) return;
  policy.backoff = { kind: 'exponential', initialMs, maxMs, multiplier };
}
