// Checks whether the options of a listener fit the consumer group on the server, and resolves the settings in force.

import type { BackoffPolicy } from '../../support/backoff.js';
import { UsageError } from '../../support/errors.js';
import type { ConsumerSettings } from '../model/settings.js';
import type { Listener } from './message-listener.js';

/** When failed messages of a listener are redelivered: by its own backoff, otherwise by the server's. */
export interface PolicyInForce {
  /** The most deliveries of a message: the server's, since a listener's own limit does not count those that were interrupted. */
  readonly maxAttempts: number;
  readonly backoff: BackoffPolicy;
  /** How long one attempt may take: the handler's timeout, or the lease of a process that died, whichever is longer. */
  readonly attemptMs: number;
}

export function policyInForce(
  { policy, handlerTimeoutMs = 0 }: Pick<Listener, 'policy' | 'handlerTimeoutMs'>,
  { maxAttempts, backoff }: ConsumerSettings,
  invisibleDurationMs: number,
): PolicyInForce {
  return {
    maxAttempts,
    backoff: policy.backoff ?? backoff,
    attemptMs: Math.max(invisibleDurationMs, handlerTimeoutMs),
  };
}

/**
 * Why a listener does not fit the group on a server, by its name: more attempts than the server allows, a batch in an ordered group.
 * @param server its name
 */
export function misfit(
  consumerGroup: string,
  listeners: readonly Listener[],
  server: string,
  { isFifo, maxAttempts }: ConsumerSettings,
): UsageError | undefined {
  for (const { name, policy, isBatch } of listeners) {
    if (policy.maxAttempts !== undefined && policy.maxAttempts > maxAttempts) {
      const text =
        `listener ${name}: maxAttempts is ${policy.maxAttempts}, but ${server} moves a message of group "${consumerGroup}" ` +
        `to the dead letter queue after ${maxAttempts}; lower it, or raise the maximum of retries of the group`;
      return new UsageError('TOO_MANY_ATTEMPTS', text, 'maxAttempts');
    }
    if (!isBatch || !isFifo) continue;
    const text =
      `listener ${name}: group "${consumerGroup}" is ordered on ${server}, where a batch would wait for messages that ` +
      'wait for it; use a group that is not ordered, or handle single messages';
    return new UsageError('BATCH_IN_ORDERED_GROUP', text, 'batch');
  }
  return undefined;
}
