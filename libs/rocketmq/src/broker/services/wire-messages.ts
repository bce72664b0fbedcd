// Converts messages between the protocol and the engine.

import {
  Encoding,
  type SystemProperties,
  type Message as WireMessage,
  MessageType as WireType,
} from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { bodyDigest, toWireMessageType } from '../../protocol/grpc/message-mapping.js';
import type { MessageType } from '../../protocol/model/message.js';
import { LITE_QUEUE_PROPERTY, MESSAGE_GROUP_PROPERTY } from '../../protocol/model/names.js';
import { queueOfMessageGroup } from '../../protocol/model/queue-hash.js';
import { dueTimeIn } from '../../protocol/remoting/property-values.js';
import { hostOf } from '../engine/born-host.js';
import type { Delivery } from '../engine/deliveries.js';
import { isLiteQueue } from '../engine/lite-topics.js';
import { type DueCheck, transactionProperties } from '../engine/transactions.js';
import { bodyToStore, partToStore, type StoredMessage } from '../store/records.js';
import type { ClientTime } from '../time/client-time.js';
import { hasLiteTopic, hasMessageGroup } from './validation.js';

/** Derives the type from the fields that are set; only TRANSACTION is used as declared (proxy `SendMessageActivity`). */
function typeOf({ userProperties }: WireMessage, system: SystemProperties): MessageType {
  if (system.messageType === WireType.TRANSACTION) return 'transaction';
  if (system.deliveryTimestamp !== undefined) return 'delay';
  if (hasMessageGroup(system.messageGroup) || userProperties[MESSAGE_GROUP_PROPERTY]) return 'fifo';
  if (system.priority !== undefined) return 'priority';
  return hasLiteTopic(system.liteTopic) ? 'lite' : 'normal';
}

/** Converts a validated message to the form that the engine stores. */
export function toStoredMessage(
  message: WireMessage,
  system: SystemProperties,
  { bornAtMs, nowMs, clientTime }: { bornAtMs: number; nowMs: number; clientTime: ClientTime },
): StoredMessage {
  const deliverAtMs = system.deliveryTimestamp?.getTime();
  return {
    messageId: system.messageId,
    type: typeOf(message, system),
    body: bodyToStore(message.body),
    bodyEncoding: system.bodyEncoding,
    tag: system.tag === '' ? undefined : system.tag,
    keys: system.keys.length === 0 ? NO_KEYS : keysOf(system),
    properties: propertiesOf(message),
    messageGroup: system.messageGroup,
    priority: system.priority,
    ...(hasLiteTopic(system.liteTopic) && { liteTopic: system.liteTopic }),
    traceContext: system.traceContext,
    bornTimestampMs: clientTime.toBroker(bornAtMs),
    bornHost: system.bornHost,
    storeTimestampMs: nowMs,
    deliveryTimestampMs: deliverAtMs === undefined ? undefined : clientTime.toBroker(deliverAtMs),
    earlierAttempts: 0,
  };
}

/** Whom a message goes to, and from where. */
interface Place {
  /** The address of the broker. */
  readonly storeHost: string;
  readonly clientTime: ClientTime;
}

/** Shared by all messages without keys, to save memory. */
const NO_KEYS: readonly string[] = [];
const NO_PROPERTIES: Readonly<Record<string, string>> = {};

/** The server stores keys joined by blanks, so a key that contains a blank is delivered as two. */
function keysOf({ keys }: SystemProperties): string[] {
  return keys.flatMap((key) => (key.includes(' ') ? partsOf(key) : key)).filter((key) => key !== '');
}

function partsOf(key: string): string[] {
  return key.split(' ').map(partToStore);
}

/** The server stores properties as a string with separators, and drops empty values. */
function propertiesOf({ userProperties }: WireMessage): Readonly<Record<string, string>> {
  const filled = Object.entries(userProperties).filter(([, value]) => value !== '');
  return filled.length === 0 ? NO_PROPERTIES : Object.fromEntries(filled);
}

/**
 * Converts a delivery to the message that the consumer receives.
 * @param place the address of the broker, and the time of the consumer
 * @param queues the ordinary queues of the topic: a message of a lite topic is delivered with the one that the real server also stores it in
 */
export function toDeliveredMessage(delivery: Delivery, place: Place, queues = 1): WireMessage {
  const { topic, message, queueId, offset, attempt, receiptHandle } = delivery;
  const wire = toWire(topic, message, place);
  const system = wire.systemProperties;
  system.queueId = isLiteQueue(queueId) ? queueOfMessageGroup(message.liteTopic ?? '', queues) : queueId;
  system.queueOffset = BigInt(offset);
  system.deliveryAttempt = attempt;
  system.receiptHandle = receiptHandle;
  return wire;
}

/** Converts a half message to the form in which it is sent with a check. */
export function toCheckedMessage({ topic, message, transactionId, times }: DueCheck, place: Place): WireMessage {
  const wire = toWire(topic, message, place);
  Object.assign(wire.userProperties, transactionProperties(transactionId, times));
  wire.systemProperties.deliveryAttempt = 1;
  return wire;
}

/** A new object, which its caller completes: copying its many properties would cost more than filling them in. */
function toWire(
  topic: string,
  message: StoredMessage,
  { storeHost, clientTime }: Place,
): WireMessage & { systemProperties: SystemProperties } {
  const dueMs = message.deliveryTimestampMs ?? delayedUntilMs(message);
  const dateOf = (atMs: number): Date => new Date(clientTime.toClient(atMs));
  return {
    topic: { resourceNamespace: '', name: topic },
    userProperties: userPropertiesOf(topic, message),
    systemProperties: {
      tag: message.tag,
      keys: message.keys.slice(),
      messageId: message.messageId,
      bodyDigest: bodyDigest(message.body),
      bodyEncoding: message.bodyEncoding === Encoding.GZIP ? Encoding.GZIP : Encoding.IDENTITY,
      messageType: toWireMessageType(message.type),
      bornTimestamp: dateOf(message.bornTimestampMs),
      bornHost: message.remoting === undefined ? message.bornHost : hostOf(message.bornHost),
      storeTimestamp: dateOf(message.storeTimestampMs),
      storeHost,
      deliveryTimestamp: dueMs === undefined ? undefined : dateOf(dueMs),
      queueId: 0,
      queueOffset: undefined,
      deliveryAttempt: undefined,
      receiptHandle: undefined,
      messageGroup: message.messageGroup,
      priority: message.priority,
      liteTopic: message.liteTopic,
      traceContext: message.traceContext,
    },
    body: message.body,
  };
}

/** When a message was due whose client of the remoting protocol named its delay instead of a time. */
function delayedUntilMs({ remoting }: StoredMessage): number | undefined {
  const isTimed = remoting?.properties.TIMER_OUT_MS !== undefined;
  return isTimed ? dueTimeIn(new Map(Object.entries(remoting.properties))) : undefined;
}

/** The server also adds the message group under its older name, and the queue of a lite topic, which consumers see (5.5.0). */
function userPropertiesOf(
  topic: string,
  { properties, messageGroup, liteTopic, originTopic }: StoredMessage,
): Record<string, string> {
  const added = { ...properties };
  if (liteTopic !== undefined) added[LITE_QUEUE_PROPERTY] = `%LMQ%$${originTopic ?? topic}$${liteTopic}`;
  else if (messageGroup !== undefined) added[MESSAGE_GROUP_PROPERTY] = messageGroup;
  return added;
}
