// The log: messages by topic, queue and offset. Written once; a retry is a delivery record, not a copy.

import { queueOfMessageGroup } from '../../protocol/model/queue-hash.js';
import { DamagedRecord } from '../store/damaged-record.js';
import type { Changes } from './changes.js';
import { indexMessage, unindexMessage } from './message-index.js';
import { keys, nameOfRecord, type StoredMessage, type TopicRecord } from './records.js';

/** Where a message came to lie. */
export interface LogPosition {
  readonly queueId: number;
  readonly offset: number;
}

/** A place, and of which topic. */
export interface TopicPosition extends LogPosition {
  readonly topic: string;
}

/** What of a message decides on its queue. */
export type QueueChoice = Partial<Pick<StoredMessage, 'messageGroup' | 'priority'>>;

/** Appends messages and chooses their queues. */
export class MessageLog {
  private roundRobin = 0;

  /** @param indexed whether messages are to be found by id and key */
  constructor(private readonly indexed: boolean) {}

  /** Forgets the messages of a queue before an offset, which the caller has looked at; undefined for one that cannot be read. */
  deleteBefore(
    changes: Changes,
    { topic, queueId, offset: begin }: LogPosition & { topic: string },
    messages: Iterable<{ readonly offset: number; readonly message: StoredMessage | undefined }>,
  ): void {
    for (const { offset, message } of messages) {
      changes.delete(keys.message(topic, queueId, offset));
      // Also when this run of the broker does not index: an earlier one may have.
      if (message !== undefined) unindexMessage(changes, topic, { queueId, offset }, message);
    }
    changes.put(keys.begin(topic, queueId), begin);
  }

  /** The queue for what is sent together: by message group or priority, else the next in turn. */
  chooseQueue(topic: TopicRecord, { messageGroup, priority }: QueueChoice = {}): number {
    if (messageGroup !== undefined) return queueOfMessageGroup(messageGroup, topic.queues);
    if (priority !== undefined) return Math.min(priority, topic.queues - 1);
    return this.roundRobin++ % topic.queues;
  }

  append(changes: Changes, topic: TopicRecord, queueId: number, message: StoredMessage): LogPosition {
    return { queueId, offset: this.appendAll(changes, topic, queueId, [message]) };
  }

  /** One behind the other. @returns the offset of the first */
  appendAll(changes: Changes, { name }: TopicRecord, queueId: number, messages: readonly StoredMessage[]): number {
    const first = this.endOffset(changes, name, queueId);
    if (first === 0) this.assertEmpty(changes, name, queueId);
    let offset = first;
    for (const message of messages) {
      changes.put(keys.message(name, queueId, offset), message);
      if (this.indexed) indexMessage(changes, name, { queueId, offset }, message);
      offset++;
    }
    changes.put(keys.end(name, queueId), offset);
    changes.markAvailable(name);
    return first;
  }

  /** @throws DamagedRecord for a queue whose end is lost: what is appended would take the place of what it has */
  private assertEmpty(changes: Changes, topic: string, queueId: number): void {
    const [found] = changes.scan([...keys.log(topic), queueId], { tolerant: true }, 1);
    if (found !== undefined) throw new DamagedRecord(nameOfRecord(keys.end(topic, queueId)), 'it is missing');
  }

  endOffset(changes: Changes, topic: string, queueId: number): number {
    return changes.get<number>(keys.end(topic, queueId)) ?? 0;
  }

  /** The first offset that retention has left. */
  beginOffset(changes: Changes, topic: string, queueId: number): number {
    return changes.get<number>(keys.begin(topic, queueId)) ?? 0;
  }

  /** Undefined for what retention has deleted, and for what is still to come. @throws DamagedRecord */
  message(changes: Changes, topic: string, queueId: number, offset: number): StoredMessage | undefined {
    const key = keys.message(topic, queueId, offset);
    const message = changes.get<StoredMessage>(key);
    if (message !== undefined) return message;
    const isBetween =
      offset >= this.beginOffset(changes, topic, queueId) && offset < this.endOffset(changes, topic, queueId);
    if (isBetween) throw new DamagedRecord(nameOfRecord(key), 'it is missing');
    return undefined;
  }
}
