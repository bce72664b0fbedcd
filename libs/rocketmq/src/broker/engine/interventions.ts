// Manual changes to single messages: delivers a delayed message early, or any message again.

import type { TopicPosition } from '../store/records.js';
import { type DeliveryRecord, type GroupRecord, isOrdered, keys, type QueueRef } from '../store/records.js';
import type { Changes } from './changes.js';
import type { DelayedMessages } from './delayed-messages.js';
import type { Deliveries } from './deliveries.js';
import type { MessageLog } from './log.js';

/** Runs a command atomically: when it throws, none of its changes are applied. */
type Run = <T>(command: (changes: Changes) => T) => T;

/** Identifies a delayed message. */
export type DelayedRef =
  | { readonly topic: string; readonly messageId: string }
  | { readonly recallHandle: string; readonly topic?: undefined };

/** The result of a request to deliver a message again. */
type DeliveredAgain =
  /** The group gets it with its next poll. */
  | { readonly kind: 'again' }
  /** The group gets it anyway: it has not received it yet, or the message is ready for redelivery. */
  | { readonly kind: 'waiting' }
  /** A consumer holds it, or another message of its ordered queue. Nothing was changed. */
  | { readonly kind: 'held'; readonly untilMs: number; readonly holder: string | undefined }
  /** The message does not exist (any more). */
  | { readonly kind: 'gone' };

export class Interventions {
  constructor(
    private readonly run: Run,
    private readonly log: MessageLog,
    private readonly deliveries: Deliveries,
    private readonly delayed: DelayedMessages,
  ) {}

  /**
   * Makes a delayed message visible at once; its delivery time property does not change. Ids are not unique: all messages with the
   * id become visible.
   * @returns their positions; empty if no delayed message matches
   * @throws Rejection `recall-invalid` for a handle that this broker did not issue
   */
  deliverNow(ref: DelayedRef, nowMs: number): TopicPosition[] {
    return this.run((changes) =>
      ref.topic === undefined
        ? this.delayed.deliverEarlyByHandle(changes, ref.recallHandle, nowMs)
        : this.delayed.deliverEarly(changes, ref.topic, ref.messageId, nowMs),
    );
  }

  /**
   * Delivers a message again to a group that received it before. A settled message starts over with attempt 1; one that
   * waits for a retry is retried at once.
   */
  deliverAgain(group: GroupRecord, at: TopicPosition, nowMs: number): DeliveredAgain {
    const { topic, queueId, offset } = at;
    const queue: QueueRef = { topic, group: group.name, queueId };
    return this.run((changes): DeliveredAgain => {
      if (this.log.message(changes, topic, queueId, offset) === undefined) return { kind: 'gone' };
      const record = changes.get<DeliveryRecord>(keys.delivery(queue, offset));
      const isNew = offset >= (changes.get<number>(keys.cursor(queue)) ?? 0);
      if (isNew || record?.state.kind === 'ready') return { kind: 'waiting' };
      const ordered = isOrdered(group);
      const held = ordered ? heldIn(changes, queue) : record;
      if (held?.state.kind === 'leased' && (ordered || !held.state.changed)) {
        return { kind: 'held', untilMs: held.state.endsAtMs, holder: held.state.holder };
      }
      this.deliveries.giveAgain(changes, queue, offset, record, nowMs);
      return { kind: 'again' };
    });
  }
}

/** The delivery of an ordered queue that a consumer holds: no message may be delivered ahead of it. */
function heldIn(changes: Changes, queue: QueueRef): DeliveryRecord | undefined {
  const found = changes.scan<DeliveryRecord>(keys.deliveriesOf(queue));
  return found.map(([, record]) => record).find(({ state }) => state.kind === 'leased');
}
