// The settlement of a leased message as requests: one, and its repetitions where they are harmless. That there is only one settlement
// is decided in message-lease.ts.

import type { Abortable } from '../../support/abort-source.js';
import { type BackoffPolicy, backoffMs, withJitter } from '../../support/backoff.js';
import { sleep } from '../../support/clock.js';
import { Deadline } from '../../support/deadline.js';
import { RocketMQError } from '../../support/errors.js';
import type { ConsumerContext } from '../model/consumer-context.js';
import type { Attempts, Postponement, Receipt, ReceiptCalls } from './receipt-calls.js';

/** The settlement of a message. */
export type LeaseSettlement =
  | { readonly kind: 'ack' }
  | ({ readonly kind: 'postpone' } & Postponement)
  /** Like `postpone`, but tried only once: a message that is not released is redelivered when its lease ends, and nobody waits for it. */
  | ({ readonly kind: 'release' } & Postponement)
  | ({ readonly kind: 'deadLetter' } & Attempts);

/** The requests that a lease sends. */
export interface LeaseCalls extends Pick<ReceiptCalls, 'changeInvisibleDuration' | 'forwardToDeadLetterQueue'> {
  /** Calls `onEnd` with the error that `ReceiptCalls.ack` would throw; never throws. */
  ack(receipt: Receipt, onEnd: (error: unknown) => void): void;
}

const SETTLE_RETRY: BackoffPolicy = { kind: 'exponential', initialMs: 100, maxMs: 2_000, multiplier: 2 };

/** Sends the one request of a settlement. @throws as {@link ReceiptCalls} */
export function sendSettlement(calls: LeaseCalls, settlement: LeaseSettlement, receipt: Receipt): Promise<unknown> {
  switch (settlement.kind) {
    case 'ack':
      return new Promise((resolve, reject) => {
        calls.ack(receipt, (error) => (error === undefined ? resolve(undefined) : reject(error)));
      });
    case 'postpone':
    case 'release':
      return calls.changeInvisibleDuration(receipt, settlement);
    case 'deadLetter':
      return calls.forwardToDeadLetterQueue(receipt, settlement);
  }
}

/** A settlement whose first request failed. */
interface Repetition {
  readonly settlement: LeaseSettlement;
  readonly messageId: string;
  /** When the lease ends, by monotonic business time. */
  readonly endsAtMs: number;
  readonly signal: Abortable;
  /** Sends the request again. */
  send(): Promise<unknown>;
}

/** @returns undefined when a repetition succeeded, otherwise the last error */
export async function repeatSettlement(
  { settlement, messageId, endsAtMs, signal, send }: Repetition,
  { clock, ioClock, random }: Pick<ConsumerContext, 'clock' | 'ioClock' | 'random'>,
  first: unknown,
): Promise<unknown> {
  const leftMs = Math.max(1, endsAtMs - clock.monotonicMs());
  const deadline = new Deadline(`settlement of message ${messageId}`, leftMs, signal);
  let last = first;
  try {
    for (let failures = 1; ; failures++) {
      const waitMs = withJitter(backoffMs(SETTLE_RETRY, failures), () => random.next());
      const isTooLate = clock.monotonicMs() >= endsAtMs || waitMs >= deadline.remainingMs();
      if (isTooLate || deadline.signal.aborted || !mayRepeat(settlement, last)) return last;
      try {
        await sleep(ioClock, waitMs, deadline.signal);
        await send();
        return undefined;
      } catch (error) {
        last = error;
      }
    }
  } finally {
    deadline.dispose();
  }
}

/** An ack may be repeated in any case; the others only when they certainly did not take effect. */
function mayRepeat(settlement: LeaseSettlement, error: unknown): boolean {
  if (!RocketMQError.is(error) || !error.retryable || settlement.kind === 'release') return false;
  return settlement.kind === 'ack' || error.outcome !== 'unknown';
}
