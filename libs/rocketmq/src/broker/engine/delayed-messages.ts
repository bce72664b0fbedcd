// Delayed messages, and their recall.

import type { LogPosition, TopicPosition } from '../store/records.js';
import { keys, type StoredMessage, type TopicRecord } from '../store/records.js';
import type { Key } from '../store/store.js';
import type { Changes } from './changes.js';
import type { MessageLog } from './log.js';
import { dueAtOf, formatRecallHandle, parseRecallHandle } from './recall-handle.js';
import type { Registry } from './registry.js';
import { Rejection } from './rejection.js';
import { delayedEntry, recallEntry } from './trail.js';

/** Keeps delayed messages until they are due. */
export class DelayedMessages {
  constructor(
    private readonly log: MessageLog,
    private readonly registry: Registry,
    private readonly recallEnabled: boolean,
  ) {}

  /** @returns the recall handle */
  add(changes: Changes, topic: TopicRecord, message: StoredMessage, dueAtMs: number): string {
    const key = [...keys.delayedAt(topic.name, message.messageId, dueAtMs), changes.nextSerial()];
    changes.put(key, message);
    changes.putDue(dueAtMs, { kind: 'delayed', key });
    changes.markTrail({ delayed: key, isWaiting: true });
    return formatRecallHandle(topic.name, dueAtMs, message.messageId);
  }

  /** A delayed message is due: it becomes visible. */
  deliver(changes: Changes, key: Key, nowMs: number): LogPosition | undefined {
    const message = changes.get<StoredMessage>(key);
    if (message === undefined) return undefined;
    const topic = this.registry.topic(changes, key[1] as string);
    changes.delete(key);
    const chosen = Number(message.remoting?.properties.REAL_QID ?? Number.NaN);
    const queueId = chosen < topic.queues ? chosen : this.log.chooseQueue(topic);
    const at = this.log.append(changes, topic, queueId, delivered(message, dueAtOf(key), nowMs));
    changes.markTrail({ delayed: key, isWaiting: false });
    changes.markTrail(delayedEntry(topic.name, message, dueAtOf(key), { topic: topic.name, ...at }));
    return at;
  }

  /** Makes the delayed messages with this id visible before their time. @returns their positions; empty if none is delayed */
  deliverEarly(changes: Changes, topic: string, messageId: string, nowMs: number): TopicPosition[] {
    return changes.scan(keys.delayedById(topic, messageId)).flatMap(([key]) => this.deliverAhead(changes, key, nowMs));
  }

  /**
   * Like {@link deliverEarly}, for the message of a recall handle.
   * @throws Rejection `recall-invalid` for a handle that this broker did not issue
   */
  deliverEarlyByHandle(changes: Changes, recallHandle: string, nowMs: number): TopicPosition[] {
    const { topic, dueAtMs, messageId } = parseRecallHandle(recallHandle);
    const found = changes.scan(keys.delayedAt(topic, messageId, dueAtMs));
    return found.flatMap(([key]) => this.deliverAhead(changes, key, nowMs));
  }

  /**
   * Recalls a delayed message. As on the real server, it is no error if the message was recalled before or never sent.
   * @param isTyped whether the topic must be one for delayed messages: proxies require that, brokers do not
   * @returns its message id
   */
  recall(changes: Changes, topic: string, recallHandle: string, nowMs: number, isTyped = true): string {
    if (!this.recallEnabled) throw new Rejection('recall-disabled', 'recall failed, operation is forbidden');
    if (isTyped) this.registry.topicFor(changes, topic, 'delay');
    else if (changes.get(keys.topic(topic)) === undefined)
      throw new Rejection('unknown-topic', `recall failed, the topic[${topic}] not exist`);
    const { topic: handleTopic, dueAtMs, messageId } = parseRecallHandle(recallHandle);
    if (handleTopic !== topic) {
      throw new Rejection('recall-invalid', `recall failed, topic not match: the handle is not for topic "${topic}"`);
    }
    if (dueAtMs <= nowMs) throw new Rejection('recall-late', 'recall failed, timestamp invalid: the message was due');
    for (const [key, message] of changes.scan<StoredMessage>(keys.delayedAt(topic, messageId, dueAtMs))) {
      changes.delete(key);
      changes.deleteDue(dueAtMs, { kind: 'delayed', key });
      changes.markTrail({ delayed: key, isWaiting: false });
      changes.markTrail(delayedEntry(topic, message, dueAtMs, undefined));
      changes.markTrail(recallEntry(topic, message, dueAtMs, nowMs));
    }
    return messageId;
  }

  private deliverAhead(changes: Changes, key: Key, nowMs: number): TopicPosition[] {
    changes.deleteDue(dueAtOf(key), { kind: 'delayed', key });
    const at = this.deliver(changes, key, nowMs);
    return at === undefined ? [] : [{ topic: key[1] as string, ...at }];
  }
}

/**
 * With the times that a real server adds to a message that was delayed by time, for those who read it by the remoting protocol: when it was to be
 * delivered, as in its recall handle, and when it began and ended to wait.
 */
function delivered(message: StoredMessage, dueAtMs: number, nowMs: number): StoredMessage {
  const stored: StoredMessage = { ...message, storeTimestampMs: nowMs };
  const { remoting, storeTimestampMs } = message;
  if (remoting === undefined || Number(remoting.properties.DELAY ?? 0) > 0) return stored;
  const times = { TIMER_OUT_MS: dueAtMs - 1, TIMER_ENQUEUE_MS: storeTimestampMs, TIMER_DEQUEUE_MS: nowMs };
  const texts = Object.fromEntries(Object.entries(times).map(([name, ms]) => [name, String(ms)]));
  return { ...stored, remoting: { ...remoting, properties: { ...remoting.properties, ...texts } } };
}
