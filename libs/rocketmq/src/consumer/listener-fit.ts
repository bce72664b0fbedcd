// Whether a listener can do what it was told in the consumer group that the server holds.

import { UsageError } from '../support/errors.js';
import type { Listener } from './message-listener.js';
import type { ConsumerSettings } from './settings.js';

/** @throws UsageError that names the listener: more attempts than the server makes, a batch in an ordered group */
export function assertFitsGroup(
  consumerGroup: string,
  listeners: readonly Listener[],
  { isFifo, maxAttempts }: ConsumerSettings,
): void {
  for (const { name, policy, isBatch } of listeners) {
    if (policy.maxAttempts !== undefined && policy.maxAttempts > maxAttempts) {
      const text =
        `listener ${name}: maxAttempts is ${policy.maxAttempts}, but the server moves a message of group "${consumerGroup}" ` +
        `to the dead letters after ${maxAttempts}; lower it, or raise the group's maximum of retries`;
      throw new UsageError('TOO_MANY_ATTEMPTS', text, 'maxAttempts');
    }
    if (!isBatch || !isFifo) continue;
    const text =
      `listener ${name}: the server holds group "${consumerGroup}" as ordered, where a batch would wait for messages that ` +
      'wait for it; use a group that is not ordered, or no batch';
    throw new UsageError('BATCH_IN_ORDERED_GROUP', text, 'batch');
  }
}
