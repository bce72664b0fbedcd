// Where a dead letter goes, and who is told before: the place of the listener's choice, or the broker's dead letter queue.

import { type BackoffPolicy, backoffMs } from '../support/backoff.js';
import { UsageError } from '../support/errors.js';
import type { ConsumerReport } from './consumer-events.js';
import type { DeadLetter, FailurePolicy, FailureSettlement, Settlement } from './failure-policy.js';

/** What is known about the message's group and listener. */
export interface KeepOptions {
  readonly policy: FailurePolicy;
  readonly report: ConsumerReport;
  readonly backoff: BackoffPolicy;
  /** Deliveries before the server itself moves the message. */
  readonly attemptsOfServer: number;
}

/** Tells the hooks and, where the policy says so, keeps the message elsewhere; returns how it is then to be settled. */
export async function keepDeadLetter(deadLetter: DeadLetter, options: KeepOptions): Promise<Settlement> {
  const { policy, report, backoff, attemptsOfServer } = options;
  const { message, reason, error } = deadLetter;
  await report.deadLetter(message, reason, error, policy.onDeadLetter && (() => policy.onDeadLetter?.(deadLetter)));
  if (policy.deadLetterTo === undefined || reason === 'corrupt-body') return { kind: 'deadLetter', reason };
  try {
    await policy.deadLetterTo(deadLetter);
    return { kind: 'ack' };
  } catch (failure) {
    const isHopeless = failure instanceof UsageError || message.deliveryAttempt >= attemptsOfServer;
    const settlement: FailureSettlement = isHopeless
      ? { kind: 'deadLetter', reason }
      : { kind: 'retry', delayMs: backoffMs(backoff, message.deliveryAttempt) };
    report.deadLetterNotKept(message, failure, settlement);
    return settlement;
  }
}
