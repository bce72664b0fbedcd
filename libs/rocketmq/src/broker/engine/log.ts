// The log: messages by topic, queue and offset. A message is written once; a retry changes its delivery record and copies nothing.

import { queueOfMessageGroup } from '../../protocol/model/queue-hash.js';
import { DamagedRecord } from '../store/damaged-record.js';
import { weightOf } from '../store/pair-weight.js';
import { keys, type LogPosition, nameOfRecord, type StoredMessage, type TopicRecord } from '../store/records.js';
import type { Changes } from './changes.js';
import { indexKeys } from './message-index.js';

/** The fields of a message that determine its queue. */
type QueueChoice = Partial<Pick<StoredMessage, 'messageGroup' | 'priority'>>;

/** Appends messages and chooses their queues. */
export class MessageLog {
  private roundRobin = 0;

  /** @param indexed whether messages are indexed by id and key */
  constructor(private readonly indexed: boolean) {}

  /** Deletes the messages of a queue before an offset. The caller has read them; undefined stands for one that cannot be read. */
  deleteBefore(
    changes: Changes,
    { topic, queueId, offset: begin }: LogPosition & { topic: string },
    messages: Iterable<{ readonly offset: number; readonly message: StoredMessage | undefined }>,
  ): void {
    for (const { offset, message } of messages) {
      changes.delete(keys.message(topic, queueId, offset));
      // Even if this broker does not index: an earlier run may have indexed the message.
      if (message !== undefined) for (const key of indexKeys(topic, { queueId, offset }, message)) changes.delete(key);
    }
    changes.put(keys.begin(topic, queueId), begin);
  }

  /** The queue for one send: by message group or priority, otherwise round-robin. */
  chooseQueue(topic: TopicRecord, { messageGroup, priority }: QueueChoice = {}): number {
    if (messageGroup !== undefined) return queueOfMessageGroup(messageGroup, topic.queues);
    if (priority !== undefined) return Math.min(priority, topic.queues - 1);
    return this.roundRobin++ % topic.queues;
  }

  /** What the index entries of a message take, in bytes. */
  indexBytes(topic: string, at: LogPosition, message: StoredMessage): number {
    return this.indexed ? indexKeys(topic, at, message).reduce((sum, key) => sum + weightOf(key, true), 0) : 0;
  }

  append(changes: Changes, topic: TopicRecord, queueId: number, message: StoredMessage): LogPosition {
    return { queueId, offset: this.appendAll(changes, topic, queueId, [message]) };
  }

  /** Appends messages at consecutive offsets. @returns the offset of the first */
  appendAll(changes: Changes, { name }: TopicRecord, queueId: number, messages: readonly StoredMessage[]): number {
    const first = this.endOffset(changes, name, queueId);
    if (first === 0) this.assertEmpty(changes, name, queueId);
    let offset = first;
    for (const message of messages) {
      changes.put(keys.message(name, queueId, offset), message);
      if (this.indexed) for (const key of indexKeys(name, { queueId, offset }, message)) changes.put(key, true);
      offset++;
    }
    changes.put(keys.end(name, queueId), offset);
    changes.markAvailable(name);
    return first;
  }

  /** @throws DamagedRecord for a queue whose end is lost: appending would overwrite its messages */
  private assertEmpty(changes: Changes, topic: string, queueId: number): void {
    const [found] = changes.scan([...keys.log(topic), queueId], { tolerant: true }, 1);
    if (found !== undefined) throw new DamagedRecord(nameOfRecord(keys.end(topic, queueId)), 'it is missing');
  }

  endOffset(changes: Changes, topic: string, queueId: number): number {
    return changes.get<number>(keys.end(topic, queueId)) ?? 0;
  }

  /** The first offset that retention has not deleted. */
  beginOffset(changes: Changes, topic: string, queueId: number): number {
    return changes.get<number>(keys.begin(topic, queueId)) ?? 0;
  }

  /** Returns undefined for an offset that retention has deleted or that is beyond the end. @throws DamagedRecord */
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
