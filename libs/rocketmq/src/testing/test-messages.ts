// The messages of a test broker as tests see them: what they are, where they are, what they wait for.

import {
  type DeliveryEntry,
  delayedMessages,
  halfMessages,
  messagesOf,
  unsettledDeliveries,
} from '../broker/engine/views.js';
import type { StoredMessage } from '../broker/store/records.js';
import type { Store } from '../broker/store/store.js';
import { Encoding } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { unpackBodyNow } from '../protocol/model/body-encoding.js';
import type { MessageType } from '../protocol/model/message.js';
import { deadLetterTopicOf } from '../protocol/model/names.js';

/** The most bytes that a compressed body may decompress to. */
const MAX_UNPACKED_BYTES = 64 * 1024 * 1024;

/** A message in a test broker. */
export interface TestMessage {
  readonly topic: string;
  readonly messageId: string;
  /** As it was sent: a compressed body stays compressed. */
  readonly body: Buffer;
  readonly tag: string | undefined;
  readonly keys: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
  readonly messageType: MessageType;
  readonly messageGroup: string | undefined;
  readonly liteTopic: string | undefined;
  /** The body as text, decompressed. */
  text(): string;
  /** The body as JSON, decompressed. Its type is not checked. @throws SyntaxError when it is not JSON */
  json<T = unknown>(): T;
}

/** A visible message and its position. */
export interface VisibleMessage extends TestMessage {
  readonly queueId: number;
  readonly offset: number;
}

/** A dead letter of a group, in the group's dead letter queue. */
export interface TestDeadLetter extends VisibleMessage {
  readonly group: string;
  /** The topic from which it was dead-lettered. */
  readonly originTopic: string;
  readonly diedAtMs: number;
}

/** A message at a consumer that has neither settled it nor changed its lease. */
export interface InFlightMessage extends TestMessage {
  readonly group: string;
  /** The first delivery is 1. */
  readonly attempt: number;
  readonly leaseEndsAtMs: number;
  /** The client that received it. */
  readonly clientId: string | undefined;
}

/** A message that becomes deliverable later. `retry`: its consumer moved the end of the lease, to retry or to renew. */
export type WaitingMessage =
  | (TestMessage & { readonly kind: 'delayed'; readonly dueAtMs: number; readonly recallHandle: string })
  | (TestMessage & {
      readonly kind: 'retry';
      readonly group: string;
      /** Deliveries so far. */
      readonly attempt: number;
      /** Of a message that waits for the next receive: since when. */
      readonly dueAtMs: number;
    });

/** A message whose transaction has not ended. */
export interface HalfMessage extends TestMessage {
  readonly transactionId: string;
  /** Checks sent so far. */
  readonly checks: number;
  readonly nextCheckAtMs: number;
}

/**
 * Something that happens at its time without a request. `delayed`: a message becomes visible; `retry`: one is redelivered, unless its
 * consumer holds it and renews its lease again; `lease`: a consumer loses one that it holds; `check`: a producer is asked about a half
 * message.
 */
export type PendingMessage =
  | WaitingMessage
  | (InFlightMessage & { readonly kind: 'lease'; readonly dueAtMs: number })
  | (HalfMessage & { readonly kind: 'check'; readonly dueAtMs: number });

export function visibleMessages(store: Store, topic: string): VisibleMessage[] {
  return messagesOf(store, topic).map(({ message, queueId, offset }) => withBody(topic, message, { queueId, offset }));
}

export function deadLettersOf(store: Store, group: string): TestDeadLetter[] {
  const topic = deadLetterTopicOf(group);
  return messagesOf(store, topic).map(({ message, queueId, offset }) => {
    const { originTopic = topic, storeTimestampMs: diedAtMs } = message;
    return withBody(topic, message, { queueId, offset, group, originTopic, diedAtMs });
  });
}

/** What consumers hold and have not renewed. @param takes selects deliveries */
export function messagesInFlight(
  store: Store,
  takes: (entry: DeliveryEntry) => boolean = () => true,
): InFlightMessage[] {
  return unsettledDeliveries(store).flatMap((entry) => {
    const { topic, group, record, message } = entry;
    const { state } = record;
    if (state.kind !== 'leased' || state.changed || message === undefined || !takes(entry)) return [];
    const attempt = message.earlierAttempts + record.attempt;
    return [withBody(topic, message, { group, attempt, leaseEndsAtMs: state.endsAtMs, clientId: state.holder })];
  });
}

/** What connected consumers of ordered groups keep: they retry a message without returning it. */
export function messagesHeldInOrder(
  store: Store,
  isConnected: (clientId: string | undefined) => boolean,
): { readonly group: string; readonly topic: string; readonly messageId: string | undefined }[] {
  return unsettledDeliveries(store).flatMap(({ topic, group, record: { state }, message, fifo }) => {
    if (!fifo || state.kind !== 'leased' || !isConnected(state.holder)) return [];
    return [{ group, topic, messageId: message?.messageId }];
  });
}

/** Delayed messages, the earliest first, then messages that will be redelivered. */
export function waitingMessages(store: Store): WaitingMessage[] {
  const retries = unsettledDeliveries(store).flatMap(({ topic, group, record, message }): WaitingMessage[] => {
    const { state } = record;
    if (message === undefined || state.kind === 'acked' || (state.kind === 'leased' && !state.changed)) return [];
    const dueAtMs = state.kind === 'leased' ? state.endsAtMs : state.sinceMs;
    const attempt = message.earlierAttempts + record.attempt;
    return [withBody(topic, message, { kind: 'retry' as const, group, attempt, dueAtMs })];
  });
  const delayed = delayedMessages(store).map(({ topic, dueAtMs, recallHandle, message }) =>
    withBody(topic, message, { kind: 'delayed' as const, dueAtMs, recallHandle }),
  );
  return [...delayed, ...retries];
}

export function openHalfMessages(store: Store): HalfMessage[] {
  return halfMessages(store).map(({ topic, half }) => {
    const { transactionId, checks, nextCheckAtMs } = half;
    return withBody(topic, half.message, { transactionId, checks, nextCheckAtMs });
  });
}

/** Everything with a due time, the earliest first. */
export function pendingMessages(store: Store): PendingMessage[] {
  const pending: PendingMessage[] = [
    ...waitingMessages(store),
    ...messagesInFlight(store).map((held) =>
      Object.assign(held, { kind: 'lease' as const, dueAtMs: held.leaseEndsAtMs }),
    ),
    ...openHalfMessages(store).map((half) =>
      Object.assign(half, { kind: 'check' as const, dueAtMs: half.nextCheckAtMs }),
    ),
  ];
  return pending.sort((a, b) => a.dueAtMs - b.dueAtMs);
}

/** A stored message, wherever it is. */
export function testMessage(topic: string, message: StoredMessage): TestMessage {
  return new Body(topic, message);
}

/** The bytes of a body, decompressed. */
export function unpackedBody(message: TestMessage): Buffer {
  return message instanceof Body ? message.unpacked() : message.body;
}

function withBody<T extends object>(topic: string, message: StoredMessage, fields: T): TestMessage & T {
  return Object.assign(new Body(topic, message), fields);
}

/** A class, so that its methods are not own properties: tests compare own properties. */
class Body implements TestMessage {
  readonly messageId: string;
  readonly body: Buffer;
  readonly tag: string | undefined;
  readonly keys: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
  readonly messageType: MessageType;
  readonly messageGroup: string | undefined;
  readonly liteTopic: string | undefined;
  readonly #isPacked: boolean;

  constructor(
    readonly topic: string,
    { messageId, body, bodyEncoding, tag, keys: own, properties, type, messageGroup, liteTopic }: StoredMessage,
  ) {
    this.messageId = messageId;
    this.body = body;
    this.tag = tag;
    this.keys = own;
    this.properties = properties;
    this.messageType = type;
    this.messageGroup = messageGroup;
    this.liteTopic = liteTopic;
    this.#isPacked = bodyEncoding === Encoding.GZIP;
  }

  unpacked(): Buffer {
    return this.#isPacked ? unpackBodyNow(this.body, MAX_UNPACKED_BYTES) : this.body;
  }

  text(): string {
    return this.unpacked().toString();
  }

  json<T = unknown>(): T {
    return JSON.parse(this.text()) as T;
  }
}
