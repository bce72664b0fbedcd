// The attributes of spans, under the names of the semantic conventions. The spans decide which values they have.
// https://opentelemetry.io/docs/specs/semconv/messaging/rocketmq and the registry of @opentelemetry/semantic-conventions 1.45.

import type { Attributes, AttributeValue } from '@opentelemetry/api';
import type { ObservedClient } from '../client/observed-client.js';
import type { MessageType, MessageView, OutgoingMessage } from '../protocol/model/message.js';
import { RocketMQError } from '../support/errors.js';

/**
 * Which names to use for attributes that the conventions have renamed: `messaging.system` is now `messaging.system.name`, and
 * `messaging.rocketmq.…` is `rocketmq.…`. Most tools still know the former names.
 */
export type AttributeNames = 'both' | 'current' | 'former';

/** The current name, then the former one. */
const RENAMED = {
  system: ['messaging.system.name', 'messaging.system'],
  namespace: ['rocketmq.namespace', 'messaging.rocketmq.namespace'],
  type: ['rocketmq.message.type', 'messaging.rocketmq.message.type'],
  tag: ['rocketmq.message.tag', 'messaging.rocketmq.message.tag'],
  keys: ['rocketmq.message.keys', 'messaging.rocketmq.message.keys'],
  group: ['rocketmq.message.group', 'messaging.rocketmq.message.group'],
  deliveryTimestamp: ['rocketmq.message.delivery_timestamp', 'messaging.rocketmq.message.delivery_timestamp'],
} as const;

/** Names that have not changed. */
export const ATTRIBUTE = {
  operationName: 'messaging.operation.name',
  operationType: 'messaging.operation.type',
  destination: 'messaging.destination.name',
  consumerGroup: 'messaging.consumer.group.name',
  clientId: 'messaging.client.id',
  messageId: 'messaging.message.id',
  batchCount: 'messaging.batch.message_count',
  serverAddress: 'server.address',
  serverPort: 'server.port',
  errorType: 'error.type',
} as const;

/** Attributes without a name in the conventions. */
export const OWN_ATTRIBUTE = {
  deliveryAttempt: 'nestjs_rocketmq.delivery_attempt',
  settlement: 'nestjs_rocketmq.settlement',
  retryDelayMs: 'nestjs_rocketmq.retry.delay_ms',
  deadLetterReason: 'nestjs_rocketmq.dead_letter.reason',
  failedInBatch: 'nestjs_rocketmq.batch.failed_count',
  transactionId: 'nestjs_rocketmq.transaction.id',
  transactionResolution: 'nestjs_rocketmq.transaction.resolution',
  transactionResult: 'nestjs_rocketmq.transaction.result',
} as const;

/** The operation of a span, in the terms of the conventions. */
export interface Operation {
  /** The first word of the span's name. */
  readonly name: string;
  /** Undefined where no type of the conventions fits. */
  readonly type?: 'create' | 'send' | 'receive' | 'process' | 'settle';
}

/** A client that spans are about. */
export type TracedClient = ObservedClient & {
  /** That of a consumer. */
  readonly consumerGroup?: string;
};

/** Creates attributes. */
export class SpanAttributes {
  private readonly which: readonly (0 | 1)[];

  constructor(names: AttributeNames) {
    this.which = names === 'both' ? [0, 1] : names === 'current' ? [0] : [1];
  }

  /** The attributes of every span of a client. */
  ofClient({ clientId, namespace, server, consumerGroup }: TracedClient): Attributes {
    const attributes = this.ofSystem();
    attributes[ATTRIBUTE.clientId] = clientId;
    attributes[ATTRIBUTE.serverAddress] = server.host;
    attributes[ATTRIBUTE.serverPort] = server.port;
    if (consumerGroup !== undefined) attributes[ATTRIBUTE.consumerGroup] = consumerGroup;
    if (namespace !== '') this.put(attributes, 'namespace', namespace);
    return attributes;
  }

  ofSystem(): Attributes {
    const attributes: Attributes = {};
    this.put(attributes, 'system', 'rocketmq');
    return attributes;
  }

  ofOperation(base: Attributes, { name, type }: Operation, topic: string | undefined): Attributes {
    const attributes = { ...base };
    attributes[ATTRIBUTE.operationName] = name;
    if (type !== undefined) attributes[ATTRIBUTE.operationType] = type;
    if (topic !== undefined) attributes[ATTRIBUTE.destination] = topic;
    return attributes;
  }

  /** What all messages of a type have, those that are received with the places of what {@link addReceived} adds: new places cost more. */
  ofMessage(base: Attributes, type: MessageType | undefined, isReceived: boolean): Attributes {
    const attributes = { ...base };
    if (type !== undefined) this.put(attributes, 'type', type);
    if (isReceived) Object.assign(attributes, { [ATTRIBUTE.messageId]: '', [OWN_ATTRIBUTE.deliveryAttempt]: 0 });
    return attributes;
  }

  /** Adds the attributes of a message to be sent; never its body or its properties. */
  addOutgoing(attributes: Attributes, message: OutgoingMessage, nowMs: number): void {
    const { deliverAt, delayMs } = message;
    if (message.messageId !== undefined) attributes[ATTRIBUTE.messageId] = message.messageId;
    const dueMs = deliverAt?.getTime() ?? (delayMs === undefined ? undefined : nowMs + delayMs);
    this.addLabels(attributes, message.tag, message.keys, message.messageGroup, dueMs);
  }

  /** Adds the attributes of a received message; never its body or its properties. */
  addReceived(attributes: Attributes, message: MessageView): void {
    attributes[ATTRIBUTE.messageId] = message.messageId;
    attributes[OWN_ATTRIBUTE.deliveryAttempt] = message.deliveryAttempt;
    this.addLabels(attributes, message.tag, message.keys, message.messageGroup, message.deliveryTimestampMs);
  }

  private addLabels(
    attributes: Attributes,
    tag: string | undefined,
    keys: readonly string[] | undefined,
    group: string | undefined,
    dueMs: number | undefined,
  ): void {
    if (tag !== undefined) this.put(attributes, 'tag', tag);
    if (keys !== undefined && keys.length > 0) this.put(attributes, 'keys', [...keys]);
    if (group !== undefined) this.put(attributes, 'group', group);
    if (dueMs !== undefined) this.put(attributes, 'deliveryTimestamp', dueMs);
  }

  private put(attributes: Attributes, what: keyof typeof RENAMED, value: AttributeValue): void {
    for (const index of this.which) attributes[RENAMED[what][index]] = value;
  }
}

/** The kind of an error: the library's code, or the name of its class; never its message. */
export function errorTypeOf(error: unknown): string {
  if (RocketMQError.is(error)) return error.code;
  if (!(error instanceof Error)) return '_OTHER';
  return error.name === 'Error' ? error.constructor.name : error.name;
}
