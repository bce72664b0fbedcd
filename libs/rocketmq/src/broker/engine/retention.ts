// Deletes old messages, consumed or not: those over the maximum age, and the oldest when the store is too large. Delayed and half
// messages are kept.

import { weightOf } from '../store/pair-weight.js';
import { type DeliveryRecord, type GroupRecord, keys, type StoredMessage } from '../store/records.js';
import type { Store } from '../store/store.js';
import type { Changes } from './changes.js';
import type { Deliveries } from './deliveries.js';
import type { MessageLog } from './log.js';

/** The maximum age and size of what is kept. Undefined means no limit. */
export interface RetentionLimits {
  readonly maxAgeMs: number | undefined;
  readonly maxBytes: number | undefined;
}

/** One command deletes at most this many messages, so that it does not block the process. */
const MAX_SWEPT = 1_000;

/** A message in its queue. One that cannot be read counts as old as the next readable one. */
interface Entry {
  readonly offset: number;
  readonly storeTimestampMs: number;
  readonly message: StoredMessage | undefined;
}

/** A queue, read from its oldest message on. */
interface Head {
  readonly topic: string;
  readonly queueId: number;
  readonly rest: Iterator<Entry>;
  readonly taken: Entry[];
  oldest: Entry | undefined;
}

export class Retention {
  /** The size that the store reported at the last sweep, and the bytes deleted since it first reported that size. */
  private knownBytes = 0;
  private freedBytes = 0;

  constructor(
    private readonly store: Store,
    private readonly log: MessageLog,
    private readonly deliveries: Deliveries,
    private readonly limits: RetentionLimits,
  ) {}

  /** Deletes the oldest messages that exceed a limit. @returns whether more may be left to delete */
  sweep(changes: Changes, nowMs: number): boolean {
    const { maxAgeMs = Number.POSITIVE_INFINITY, maxBytes = Number.POSITIVE_INFINITY } = this.limits;
    const startBytes = Number.isFinite(maxBytes) ? this.excessOver(maxBytes) : 0;
    let excessBytes = startBytes;
    const heads = this.heads(changes);
    let count = 0;
    for (; count < MAX_SWEPT; count++) {
      const head = oldestOf(heads);
      if (head?.oldest === undefined) break;
      const { storeTimestampMs } = head.oldest;
      if (storeTimestampMs > nowMs - maxAgeMs && excessBytes <= 0) break;
      excessBytes -= this.weightOf(head, head.oldest);
      head.taken.push(head.oldest);
      advance(head);
    }
    for (const head of heads) if (head.taken.length > 0) this.delete(changes, head);
    this.freedBytes += startBytes - excessBytes;
    return count === MAX_SWEPT;
  }

  /** What the store frees with a message; on disk, about that. */
  private weightOf({ topic, queueId }: Head, { offset, message }: Entry): number {
    const bytes = weightOf(keys.message(topic, queueId, offset), message);
    return message === undefined ? bytes : bytes + this.log.indexBytes(topic, { queueId, offset }, message);
  }

  /** A store on disk reports its size as of the last commit, so deletions since then are subtracted. */
  private excessOver(maxBytes: number): number {
    const usedBytes = this.store.usedBytes();
    if (usedBytes !== this.knownBytes) this.freedBytes = 0;
    this.knownBytes = usedBytes;
    return usedBytes - this.freedBytes - maxBytes;
  }

  private heads(changes: Changes): Head[] {
    return changes.scan(keys.allEnds, { tolerant: true }).map(([key]) => {
      const [, topic, queueId] = key as [string, string, number];
      const head: Head = { topic, queueId, rest: this.messages(changes, topic, queueId), taken: [], oldest: undefined };
      advance(head);
      return head;
    });
  }

  /** Starts at the recorded first offset, so that deleted entries are not scanned again. */
  private *messages(changes: Changes, topic: string, queueId: number): Iterator<Entry> {
    const from = keys.message(topic, queueId, this.log.beginOffset(changes, topic, queueId));
    let unreadable: number[] = [];
    for (const [key, value] of this.store.scan([...keys.log(topic), queueId], { from, tolerant: true })) {
      const offset = key.at(-1) as number;
      if (value === undefined) {
        unreadable.push(offset);
        continue;
      }
      const message = value as StoredMessage;
      const { storeTimestampMs } = message;
      for (const before of unreadable) yield { offset: before, storeTimestampMs, message: undefined };
      unreadable = [];
      yield { offset, storeTimestampMs, message };
    }
  }

  private delete(changes: Changes, { topic, queueId, taken }: Head): void {
    const offset = (taken.at(-1)?.offset ?? -1) + 1;
    this.log.deleteBefore(changes, { topic, queueId, offset }, taken);
    for (const [, { name }] of changes.scan<GroupRecord>(keys.groups)) {
      const queue = { group: name, topic, queueId };
      const range = { before: keys.delivery(queue, offset) };
      for (const [key, { state }] of changes.scan<DeliveryRecord>(keys.deliveriesOf(queue), range)) {
        this.deliveries.drop(changes, queue, key.at(-1) as number, state);
      }
    }
  }
}

function oldestOf(heads: readonly Head[]): Head | undefined {
  let found: Head | undefined;
  for (const head of heads) if (ageOf(head) < ageOf(found)) found = head;
  return found;
}

function ageOf(head: Head | undefined): number {
  return head?.oldest?.storeTimestampMs ?? Number.POSITIVE_INFINITY;
}

function advance(head: Head): void {
  const next = head.rest.next();
  head.oldest = next.done === true ? undefined : next.value;
}
