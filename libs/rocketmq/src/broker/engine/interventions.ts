// What people and tools do to single messages: delivered before their time, delivered once more.

import type { Changes } from './changes.js';
import type { DelayedMessages } from './delayed-messages.js';
import type { Deliveries } from './deliveries.js';
import type { MessageLog, TopicPosition } from './log.js';
import { type DeliveryRecord, type GroupRecord, keys, type QueueRef } from './records.js';

/** Runs a command: all of its changes or, when it throws, none. */
type Run = <T>(command: (changes: Changes) => T) => T;

/** Names a message that waits for its time. */
export type DelayedRef =
  | { readonly topic: string; readonly messageId: string }
  | { readonly recallHandle: string; readonly topic?: undefined };

/** What became of the wish to have a message delivered once more. */
export type DeliveredAgain =
  /** The group gets it with its next receive. */
  | { readonly kind: 'again' }
  /** The group would have got it anyhow: it has not been handed it, or it waits for the next receive. */
  | { readonly kind: 'waiting' }
  /** A consumer has it, or has another one of an ordered queue: nothing was changed. */
  | { readonly kind: 'held'; readonly untilMs: number; readonly holder: string | undefined }
  /** There is no such message (any more). */
  | { readonly kind: 'gone' };

export class Interventions {
  constructor(
    private readonly run: Run,
    private readonly log: MessageLog,
    private readonly deliveries: Deliveries,
    private readonly delayed: DelayedMessages,
  ) {}

  /**
   * Makes a delayed message visible at once; its delivery time stays as its sender wrote it. Ids are never deduplicated: of several
   * with one id all.
   * @returns where they lie now; nothing when nothing waits by this name
   * @throws Refusal `recall-invalid` for a handle that this broker did not issue
   */
  deliverNow(ref: DelayedRef, nowMs: number): TopicPosition[] {
    return this.run((changes) =>
      ref.topic === undefined
        ? this.delayed.deliverEarlyByHandle(changes, ref.recallHandle, nowMs)
        : this.delayed.deliverEarly(changes, ref.topic, ref.messageId, nowMs),
    );
  }

  /**
   * Delivers a message of the log to a group that was handed it before. A settled one begins anew with its first attempt; one that
   * waits for its retry does not wait longer.
   */
  deliverAgain(group: GroupRecord, at: TopicPosition, nowMs: number): DeliveredAgain {
    const { topic, queueId, offset } = at;
    const queue: QueueRef = { topic, group: group.name, queueId };
    return this.run((changes): DeliveredAgain => {
      if (this.log.message(changes, topic, queueId, offset) === undefined) return { kind: 'gone' };
      const record = changes.get<DeliveryRecord>(keys.delivery(queue, offset));
      const isNew = offset >= (changes.get<number>(keys.cursor(queue)) ?? 0);
      if (isNew || record?.state.kind === 'ready') return { kind: 'waiting' };
      const held = group.fifo ? heldIn(changes, queue) : record;
      if (held?.state.kind === 'leased' && (group.fifo || !held.state.changed)) {
        return { kind: 'held', untilMs: held.state.endsAtMs, holder: held.state.holder };
      }
      this.deliveries.giveAgain(changes, queue, offset, record, nowMs);
      return { kind: 'again' };
    });
  }
}

/** What a consumer has of an ordered queue: nothing may be put before it. */
function heldIn(changes: Changes, queue: QueueRef): DeliveryRecord | undefined {
  const found = changes.scan<DeliveryRecord>(keys.deliveriesOf(queue));
  return found.map(([, record]) => record).find(({ state }) => state.kind === 'leased');
}
