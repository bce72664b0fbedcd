// One send: where the messages of a request are stored, by their type.

import type { Changes } from './changes.js';
import type { DelayedMessages } from './delayed-messages.js';
import type { LiteTopics } from './lite-topics.js';
import type { MessageLog } from './log.js';
import type { StoredMessage } from './records.js';
import type { Registry } from './registry.js';
import type { Transactions } from './transactions.js';

/** Messages that are sent together: they have one topic and type and are stored in one queue. */
export interface SendRequest {
  readonly topic: string;
  readonly messages: readonly StoredMessage[];
  /** For a half message: the time from its birth to the first check. */
  readonly recoveryMs: number | undefined;
  readonly nowMs: number;
}

export interface SendResult {
  readonly messageId: string;
  readonly offset: number;
  /** Set for a delayed message. */
  readonly recallHandle: string | undefined;
}

/** Where messages are stored. */
export interface Destinations {
  readonly registry: Registry;
  readonly log: MessageLog;
  readonly liteTopics: LiteTopics;
  readonly delayed: DelayedMessages;
  readonly transactions: Transactions;
}

/** @throws Refusal `unknown-topic`, `type-conflict`, `store-full`, `too-many-lite-topics` */
export function send(
  changes: Changes,
  { registry, log, liteTopics, delayed, transactions }: Destinations,
  request: SendRequest,
): SendResult[] {
  const { topic: name, messages, recoveryMs, nowMs } = request;
  const [first] = messages;
  if (first === undefined) return [];
  const topic = registry.topicFor(changes, name, first.type);
  if (first.type === 'lite') {
    return messages.map((message) => {
      const queueId = liteTopics.queueFor(changes, name, message.liteTopic ?? '');
      const { offset } = log.append(changes, topic, queueId, message);
      return { messageId: message.messageId, offset, recallHandle: undefined };
    });
  }
  const queueId = log.chooseQueue(topic, first);
  if (first.type !== 'transaction' && first.type !== 'delay') {
    const offset = log.appendAll(changes, topic, queueId, messages);
    return messages.map(({ messageId }, index) => ({ messageId, offset: offset + index, recallHandle: undefined }));
  }
  return messages.map((message) => {
    const { messageId } = message;
    if (message.type === 'transaction') {
      transactions.begin(changes, topic, message, { recoveryMs, nowMs });
      return { messageId, offset: 0, recallHandle: undefined };
    }
    const dueAtMs = message.type === 'delay' ? message.deliveryTimestampMs : undefined;
    if (dueAtMs !== undefined && dueAtMs > nowMs) {
      return { messageId, offset: 0, recallHandle: delayed.add(changes, topic, message, dueAtMs) };
    }
    const { offset } = log.append(changes, topic, queueId, message);
    return { messageId, offset, recallHandle: undefined };
  });
}
