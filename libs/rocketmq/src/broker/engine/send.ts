// One send: where the messages of a request are stored, by their type.

import type { StoredMessage } from '../store/records.js';
import type { Changes } from './changes.js';
import type { DelayedMessages } from './delayed-messages.js';
import type { LiteTopics } from './lite-topics.js';
import type { MessageLog } from './log.js';
import type { Registry } from './registry.js';
import type { Transactions } from './transactions.js';

/** Messages that are sent together: they have one topic and type and are stored in one queue. */
export interface SendRequest {
  readonly topic: string;
  readonly messages: readonly StoredMessage[];
  /** For a half message: the time from its birth to the first check. */
  readonly recoveryMs: number | undefined;
  readonly nowMs: number;
  /** Of a client of the remoting protocol. Undefined: the broker chooses the queue by the type, which must be that of the topic. */
  readonly placement?: Placement | undefined;
}

/** How clients of the remoting protocol send: to a queue of their choice, and messages of any type to any topic. */
export interface Placement {
  /** Undefined: the broker chooses. */
  readonly queueId: number | undefined;
  /** How many queues a topic has that this send creates; undefined: it creates none. */
  readonly queuesWhenNew: number | undefined;
  /** When the messages become visible, if not at once. */
  readonly dueAtMs: number | undefined;
}

export interface SendResult {
  readonly messageId: string;
  readonly queueId: number;
  /** For a half message its number; 0 for a delayed one. */
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

/** @throws Rejection `unknown-topic`, `type-conflict`, `store-full`, `too-many-lite-topics` */
export function send(
  changes: Changes,
  { registry, log, liteTopics, delayed, transactions }: Destinations,
  request: SendRequest,
): SendResult[] {
  const { topic: name, messages, recoveryMs, nowMs } = request;
  const [first] = messages;
  if (first === undefined) return [];
  const { placement } = request;
  const topic =
    placement === undefined
      ? registry.topicFor(changes, name, first.type)
      : registry.topicOfAnyType(changes, name, placement.queuesWhenNew);
  if (first.type === 'lite' && topic.type === 'lite') {
    return messages.map((message) => {
      const queueId = liteTopics.queueFor(changes, name, message.liteTopic ?? '');
      const { offset } = log.append(changes, topic, queueId, message);
      return { messageId: message.messageId, queueId, offset, recallHandle: undefined };
    });
  }
  const queueId = placement?.queueId ?? log.chooseQueue(topic, first);
  if (first.type !== 'transaction' && first.type !== 'delay') {
    const offset = log.appendAll(changes, topic, queueId, messages);
    return messages.map(({ messageId }, index) => {
      return { messageId, queueId, offset: offset + index, recallHandle: undefined };
    });
  }
  return messages.map((message) => {
    const { messageId } = message;
    if (message.type === 'transaction') {
      const number = transactions.begin(changes, topic, message, { recoveryMs, nowMs, queueId: placement?.queueId });
      return { messageId, queueId, offset: placement === undefined ? 0 : number, recallHandle: undefined };
    }
    const ownDueMs = message.type === 'delay' ? message.deliveryTimestampMs : undefined;
    const dueAtMs = placement === undefined ? ownDueMs : placement.dueAtMs;
    if (dueAtMs !== undefined && dueAtMs > nowMs) {
      return { messageId, queueId, offset: 0, recallHandle: delayed.add(changes, topic, message, dueAtMs) };
    }
    const { offset } = log.append(changes, topic, queueId, message);
    return { messageId, queueId, offset, recallHandle: undefined };
  });
}
