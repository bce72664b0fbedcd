// Maps messages between the model and the generated gRPC types.

import { hash } from 'node:crypto';
import type { MessageType, MessageView, OutgoingMessage } from '../model/message.js';
import { LITE_QUEUE_PROPERTY, MESSAGE_GROUP_PROPERTY } from '../model/names.js';
import { toOffset } from '../model/offset.js';
import { toDuration } from './duration.js';
import {
  DigestType,
  Encoding,
  type Message as WireMessage,
  MessageType as WireMessageType,
} from './generated/apache/rocketmq/v2/definition.js';

const WIRE_TYPES: Readonly<Record<MessageType, WireMessageType>> = {
  normal: WireMessageType.NORMAL,
  fifo: WireMessageType.FIFO,
  delay: WireMessageType.DELAY,
  transaction: WireMessageType.TRANSACTION,
  lite: WireMessageType.LITE,
  priority: WireMessageType.PRIORITY,
};

export function toWireMessageType(type: MessageType): WireMessageType {
  return WIRE_TYPES[type];
}

const TYPES: ReadonlyMap<WireMessageType, MessageType> = new Map(
  (Object.keys(WIRE_TYPES) as MessageType[]).map((type) => [WIRE_TYPES[type], type]),
);

/** The type for its number on the wire; undefined for one that this library does not know. */
export function fromWireMessageType(wire: WireMessageType): MessageType | undefined {
  return TYPES.get(wire);
}

/** The parts of a message on the wire that the producer decides, not the caller. */
interface SendContext {
  readonly messageId: string;
  readonly type: MessageType;
  /** The body as it is sent. */
  readonly body: Buffer;
  /** Default: the body is not compressed. */
  readonly bodyEncoding?: Encoding;
  /** For a half message: how long the server waits before its first check. Default: the server's configuration (6 s). */
  readonly recoveryDurationMs?: number;
  readonly namespace: string;
  readonly bornTimestampMs: number;
  readonly bornHost: string;
  readonly queueId: number;
  readonly deliveryTimestampMs: number | undefined;
}

/** A validated message in its wire form. */
export function toWireMessage(message: OutgoingMessage, context: SendContext): WireMessage {
  const dueMs = context.deliveryTimestampMs;
  return {
    topic: { resourceNamespace: context.namespace, name: message.topic },
    userProperties: { ...message.properties },
    systemProperties: {
      tag: message.tag,
      keys: [...(message.keys ?? [])],
      messageId: context.messageId,
      bodyEncoding: context.bodyEncoding ?? Encoding.IDENTITY,
      messageType: toWireMessageType(context.type),
      bornTimestamp: new Date(context.bornTimestampMs),
      bornHost: context.bornHost,
      storeHost: '',
      queueId: context.queueId,
      messageGroup: message.messageGroup,
      priority: message.priority,
      liteTopic: message.liteTopic,
      deliveryTimestamp: dueMs === undefined ? undefined : new Date(dueMs),
      orphanedTransactionRecoveryDuration:
        context.recoveryDurationMs === undefined ? undefined : toDuration(context.recoveryDurationMs),
    },
    body: context.body,
  };
}

/** A message from the gateway, with what the protocol has no fields for. */
export interface GatewayMessage extends WireMessage {
  /** @see offsetMessageIdOf */
  readonly offsetMessageId?: string;
  readonly storeSize?: number;
}

/**
 * A received message from its wire form. Fields that the server omitted get their empty value.
 * @param brokerName the broker that it was received from
 */
export function fromWireMessage(wire: GatewayMessage, brokerName?: string): MessageView {
  const system = wire.systemProperties;
  return {
    topic: wire.topic?.name ?? '',
    messageId: system?.messageId ?? '',
    body: wire.body,
    tag: system?.tag,
    keys: filledKeys(system?.keys ?? []),
    properties: ownProperties(wire.userProperties),
    messageType: fromWireMessageType(system?.messageType ?? WireMessageType.MESSAGE_TYPE_UNSPECIFIED),
    messageGroup: system?.messageGroup,
    priority: system?.priority,
    liteTopic: system?.liteTopic,
    bornTimestampMs: system?.bornTimestamp?.getTime() ?? 0,
    bornHost: system?.bornHost ?? '',
    storeTimestampMs: system?.storeTimestamp?.getTime(),
    storeHost: system?.storeHost || undefined,
    storeSize: wire.storeSize,
    brokerName,
    deliveryTimestampMs: system?.deliveryTimestamp?.getTime(),
    deliveryAttempt: system?.deliveryAttempt ?? 1,
    queueId: system?.queueId ?? 0,
    queueOffset: toOffset(system?.queueOffset ?? 0n),
    offsetMessageId: wire.offsetMessageId,
    receiptHandle: system?.receiptHandle ?? '',
  };
}

/** Clients write blanks between and after keys as they like, and the server splits at each. */
function filledKeys(keys: readonly string[]): readonly string[] {
  return keys.includes('') ? keys.filter((key) => key !== '') : keys;
}

/**
 * Those of the application. Servers add the message group, with which no topic of another type takes a copy, and the queue of a lite topic, in
 * which a copy would be stored, whatever topic it is sent to.
 */
function ownProperties(all: Record<string, string>): Record<string, string> {
  if (all[LITE_QUEUE_PROPERTY] === undefined && all[MESSAGE_GROUP_PROPERTY] === undefined) return all;
  const { [LITE_QUEUE_PROPERTY]: _queue, [MESSAGE_GROUP_PROPERTY]: _group, ...own } = all;
  return own;
}

/** The digest that the server adds to every delivered message: MD5 in upper-case hex. */
export function bodyDigest(body: Uint8Array): { type: DigestType; checksum: string } {
  return { type: DigestType.MD5, checksum: hash('md5', body, 'hex').toUpperCase() };
}

/** Whether the body of a message from the wire is compressed. */
export function hasPackedBody({ systemProperties }: WireMessage): boolean {
  return systemProperties?.bodyEncoding === Encoding.GZIP;
}
