// What became of a message that a group has received. Brokers of a cluster keep no record of it; this instance's handlers may know.

import type { Attempt, Delivery, Trail } from '../types.js';

type Group = Trail['groups'][number];

/** How a lane of the trail is marked. */
export interface LaneState {
  readonly state?: string;
  readonly tone?: 'bad' | 'warn' | 'good';
}

export type Fate =
  /** A handler of this instance succeeded. */
  | { readonly kind: 'handled' }
  /** It is over: an ordered group has passed it, or an embedded broker says that nobody holds it. */
  | { readonly kind: 'settled'; readonly isDelivered: boolean }
  /** A handler of this instance failed, and its retry is not due yet. */
  | { readonly kind: 'retry'; readonly after: Attempt }
  | { readonly kind: 'dead letter' }
  | { readonly kind: 'unknown' };

/** @param isHeldKnown whether the broker says what consumers hold */
export function fateOf(group: Group, own: readonly Attempt[], isHeldKnown: boolean, nowMs: number): Fate {
  const { copies, retries, deadLetters, isOrdered = false } = group;
  const [newest] = [...copies, ...retries].toSorted((left, right) => right.storeTimestampMs - left.storeTimestampMs);
  const last = own.toSorted((left, right) => left.startedAtMs - right.startedAtMs).at(-1);
  const isDelivered = retries.length > 0 || own.length > 0;
  // A later delivery may have gone to another instance.
  const isLatest = last !== undefined && last.endedAtMs >= (newest?.storeTimestampMs ?? 0) && isAt(last, newest);
  if (isLatest) {
    const handled = own.filter(({ error }) => error === undefined).length;
    if (last.error === undefined && handled + deadLetters.length >= copies.length) return { kind: 'handled' };
    if (last.isDeadLetter === true) return { kind: 'dead letter' };
    if (last.retryAtMs !== undefined && nowMs < last.retryAtMs) return { kind: 'retry', after: last };
  }
  return isOrdered || isHeldKnown ? { kind: 'settled', isDelivered } : { kind: 'unknown' };
}

function isAt({ deliveryAttempt }: Attempt, newest: Group['copies'][number] | Group['retries'][number] | undefined) {
  return newest === undefined || !('attempt' in newest) || deliveryAttempt >= newest.attempt;
}

export function isOver({ kind }: Fate): boolean {
  return kind === 'handled' || kind === 'settled';
}

export function stateOf({ copies, retries, deadLetters }: Group, held: readonly Delivery[], fate: Fate): LaneState {
  const isWaiting = [...copies, ...retries].some(({ isPassed }) => !isPassed);
  const lastDeadMs = deadLetters.at(-1)?.storeTimestampMs ?? 0;
  const lastCopyMs = copies.at(-1)?.storeTimestampMs ?? 0;
  const isDead = lastDeadMs > 0 && lastDeadMs >= lastCopyMs;
  if (held.some(({ state }) => state === 'held')) return { state: 'being handled', tone: 'warn' };
  if (held.length > 0 || isWaiting || fate.kind === 'retry') return { state: 'waiting', tone: 'warn' };
  if (isDead || fate.kind === 'dead letter') return { state: 'dead letter', tone: 'bad' };
  if (copies.length === 0 && retries.length === 0) return { state: 'nothing to deliver' };
  if (fate.kind === 'unknown') return { state: 'delivered, its end is not known' };
  const isHandled = fate.kind === 'handled' || fate.isDelivered;
  return { state: isHandled ? 'handled' : 'handled or filtered out', tone: 'good' };
}
