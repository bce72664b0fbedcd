// Messages that wait for their delivery time, and their recall.

import type { Key } from '../store/store.js';
import type { Changes } from './changes.js';
import type { MessageLog } from './log.js';
import { keys, type StoredMessage, type TopicRecord } from './records.js';
import { Refusal } from './refusal.js';
import type { Registry } from './registry.js';

/** The broker name in routes and recall handles. */
export const BROKER_NAME = 'embedded';

/** Keeps delayed messages until they are due. */
export class DelayedMessages {
  constructor(
    private readonly log: MessageLog,
    private readonly registry: Registry,
    private readonly recallEnabled: boolean,
  ) {}

  /** @returns the handle by which it can be recalled */
  add(changes: Changes, topic: TopicRecord, message: StoredMessage, dueAtMs: number): string {
    const key = [...keys.delayedById(topic.name, dueAtMs, message.messageId), changes.nextSerial()];
    changes.put(key, message);
    changes.putDue(dueAtMs, { kind: 'delayed', key });
    return formatRecallHandle(topic.name, dueAtMs, message.messageId);
  }

  /** A delayed message is due: it becomes visible. */
  deliver(changes: Changes, key: Key, nowMs: number): void {
    const message = changes.get<StoredMessage>(key);
    if (message === undefined) return;
    const topic = this.registry.topic(changes, key[1] as string);
    changes.delete(key);
    const queueId = this.log.chooseQueue(topic);
    this.log.append(changes, topic, queueId, { ...message, storeTimestampMs: nowMs });
  }

  /**
   * Takes a delayed message back. One that is not there (recalled before, never sent) is no error, as on the real server.
   * @returns its message id
   */
  recall(changes: Changes, topic: string, recallHandle: string, nowMs: number): string {
    if (!this.recallEnabled) throw new Refusal('recall-disabled', 'recall failed, operation is forbidden');
    this.registry.topicFor(changes, topic, 'delay');
    const { dueAtMs, messageId } = parseRecallHandle(topic, recallHandle);
    if (dueAtMs <= nowMs) throw new Refusal('recall-late', 'recall failed, timestamp invalid: the message was due');
    for (const [key] of changes.scan<StoredMessage>(keys.delayedById(topic, dueAtMs, messageId))) {
      changes.delete(key);
      changes.deleteDue(dueAtMs, { kind: 'delayed', key });
    }
    return messageId;
  }
}

/** The real server's form: URL-safe Base64 of version, topic, broker, due time and message id. */
function formatRecallHandle(topic: string, dueAtMs: number, messageId: string): string {
  return Buffer.from(`v1 ${topic} ${BROKER_NAME} ${dueAtMs} ${messageId}`).toString('base64url');
}

function parseRecallHandle(topic: string, recallHandle: string): { dueAtMs: number; messageId: string } {
  const text = Buffer.from(recallHandle, 'base64url').toString();
  const [version, handleTopic, broker, due, ...rest] = text.split(' ');
  const dueAtMs = Number(due);
  const messageId = rest.join(' ');
  if (version !== 'v1' || broker !== BROKER_NAME || !Number.isFinite(dueAtMs) || messageId === '') {
    throw new Refusal('recall-invalid', 'recall failed, the recall handle is not one of this broker');
  }
  if (handleTopic !== topic)
    throw new Refusal('recall-invalid', `recall failed, the handle is not for topic "${topic}"`);
  return { dueAtMs, messageId };
}
