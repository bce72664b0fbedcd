// Messages of the gRPC model as brokers store them, and back. @see SendMessageActivity and GrpcConverter of the proxy

import { crc32 } from 'node:zlib';
import { setOwn } from '../protocol/grpc/fast/wire-reading.js';
import {
  DigestType,
  Encoding,
  MessageType,
  type SystemProperties,
  type Message as WireMessage,
} from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { GatewayMessage } from '../protocol/grpc/message-mapping.js';
import { isReservedProperty, MESSAGE_GROUP_PROPERTY } from '../protocol/model/names.js';
import { dateOf, dueTimeIn, integerIn } from '../protocol/remoting/property-values.js';
import {
  encodeProperty,
  messageIdOf,
  offsetMessageIdOf,
  type StoredMessageFields,
  SYS_FLAGS,
} from '../protocol/remoting/stored-message.js';

export const LITE_TOPIC_PROPERTY = '__LITE_TOPIC';

/** The properties of the server that carry what the model has fields for. @see MessageConst of the server */
const PROPERTY = {
  tag: 'TAGS',
  keys: 'KEYS',
  messageId: 'UNIQ_KEY',
  messageGroup: MESSAGE_GROUP_PROPERTY,
  priority: '_SYS_MSG_PRIORITY_',
  liteTopic: LITE_TOPIC_PROPERTY,
  deliverAtMs: 'TIMER_DELIVER_MS',
  isHalf: 'TRAN_MSG',
  producerGroup: 'PGROUP',
  firstCheckSeconds: 'CHECK_IMMUNITY_TIME_IN_SECONDS',
  bornHost: '__BORNHOST',
  bornTimestamp: 'BORN_TIMESTAMP',
  traceContext: 'TRACE_CONTEXT',
  delayLevel: 'DELAY',
  delaySeconds: 'TIMER_DELAY_SEC',
  delayMs: 'TIMER_DELAY_MS',
} as const;

/** The sysFlag of a half message. */
const PREPARED = 4;
const KEY_SEPARATOR = ' ';

/**
 * Encoded.
 * @param producerGroup who answers the checks of a half message
 * @param delayLevel in the place of the time of delivery; 0 for none
 */
export function propertiesOf(message: WireMessage, producerGroup: string, delayLevel?: number): string {
  const { systemProperties: system, userProperties } = message;
  let text = '';
  for (const name of Object.keys(userProperties)) text += encodeProperty(name, userProperties[name] as string);
  const add = (name: string, value: string | number | undefined): void => {
    if (value !== undefined && value !== '') text += encodeProperty(name, value);
  };
  add(PROPERTY.messageId, system?.messageId);
  add(PROPERTY.tag, system?.tag);
  add(PROPERTY.keys, system?.keys.join(KEY_SEPARATOR));
  add(PROPERTY.messageGroup, system?.messageGroup);
  add(PROPERTY.priority, system?.priority);
  add(PROPERTY.liteTopic, system?.liteTopic);
  if (delayLevel === undefined) add(PROPERTY.deliverAtMs, system?.deliveryTimestamp?.getTime());
  else if (delayLevel > 0) add(PROPERTY.delayLevel, delayLevel);
  add(PROPERTY.bornHost, system?.bornHost);
  add(PROPERTY.bornTimestamp, system?.bornTimestamp?.getTime());
  add(PROPERTY.traceContext, system?.traceContext);
  if (isHalf(message)) {
    const first = system?.orphanedTransactionRecoveryDuration?.seconds;
    add(PROPERTY.isHalf, 'true');
    add(PROPERTY.producerGroup, producerGroup);
    add(PROPERTY.firstCheckSeconds, first === undefined ? undefined : String(first));
  }
  return text;
}

export function isHalf({ systemProperties }: WireMessage): boolean {
  return systemProperties?.messageType === MessageType.TRANSACTION;
}

export function sysFlagOf(message: WireMessage): number {
  const packed = message.systemProperties?.bodyEncoding === Encoding.GZIP ? SYS_FLAGS.compressed : 0;
  return packed | (isHalf(message) ? PREPARED : 0);
}

/** What the gateway adds to a message that was popped. */
interface PoppedFields {
  /** As the consumer named it: a retry is stored under another topic. */
  readonly topic: string;
  readonly receiptHandle: string | undefined;
  readonly deliveryAttempt: number;
}

/** A digest that matches no body. */
const CORRUPT = { type: DigestType.CRC32, checksum: 'the checksum of the broker differs' };

export function wireMessageOf(stored: StoredMessageFields, popped: PoppedFields): GatewayMessage {
  const { properties } = stored;
  const userProperties: Record<string, string> = {};
  for (const [name, value] of properties) if (!isReservedProperty(name)) setOwn(userProperties, name, value);
  const keys = properties.get(PROPERTY.keys);
  const priority = integerIn(properties.get(PROPERTY.priority));
  const dueAtMs = dueTimeIn(properties);
  const isPacked = (stored.sysFlag & SYS_FLAGS.compressed) !== 0;
  const isIntact = (crc32(stored.body) & 0x7f_ff_ff_ff) === stored.bodyCrc;
  const systemProperties: SystemProperties = {
    tag: properties.get(PROPERTY.tag),
    keys: keys === undefined || keys === '' ? [] : keys.split(KEY_SEPARATOR),
    messageId: messageIdOf(stored),
    bodyDigest: isIntact ? undefined : CORRUPT,
    bodyEncoding: isPacked ? Encoding.GZIP : Encoding.IDENTITY,
    messageType: typeOf(stored),
    bornTimestamp: dateOf(stored.bornTimestampMs),
    bornHost: properties.get(PROPERTY.bornHost) ?? stored.bornHost,
    storeTimestamp: dateOf(stored.storeTimestampMs),
    storeHost: stored.storeHost,
    deliveryTimestamp: dueAtMs === undefined ? undefined : new Date(dueAtMs),
    receiptHandle: popped.receiptHandle,
    queueId: stored.queueId,
    queueOffset: BigInt(stored.queueOffset),
    deliveryAttempt: popped.deliveryAttempt,
    messageGroup: properties.get(PROPERTY.messageGroup),
    priority,
    liteTopic: properties.get(PROPERTY.liteTopic),
    traceContext: properties.get(PROPERTY.traceContext),
  };
  const topic = { resourceNamespace: '', name: popped.topic };
  const { body, storeSize } = stored;
  return { topic, userProperties, systemProperties, body, storeSize, offsetMessageId: offsetMessageIdOf(stored) };
}

const MARKS_OF_DELAY = [PROPERTY.deliverAtMs, PROPERTY.delayLevel, PROPERTY.delaySeconds, PROPERTY.delayMs];

/** By what the message carries, like the proxy. */
function typeOf({ properties }: StoredMessageFields): MessageType {
  if (properties.get(PROPERTY.isHalf) === 'true') return MessageType.TRANSACTION;
  if (MARKS_OF_DELAY.some((name) => properties.has(name))) return MessageType.DELAY;
  if (properties.has(PROPERTY.messageGroup)) return MessageType.FIFO;
  if (properties.has(PROPERTY.priority)) return MessageType.PRIORITY;
  return properties.has(PROPERTY.liteTopic) ? MessageType.LITE : MessageType.NORMAL;
}
