// Messages as brokers without a proxy take and give them. Written from the server's names, not from the gateway's code.

import { crc32 } from 'node:zlib';
import {
  Encoding,
  MessageType,
  type Message as WireMessage,
} from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import {
  decodeProperties,
  encodeStoredMessage,
  type StoredMessageFields,
} from '../../libs/rocketmq/src/protocol/remoting/stored-message.js';

const COMPRESSED = 1;
/** What the server keeps of a message beside its body. Other properties are the application's. */
const OWN = ['UNIQ_KEY', 'TAGS', 'KEYS', '__SHARDINGKEY', 'TRAN_MSG', 'PGROUP', '__BORNHOST', 'BORN_TIMESTAMP'];
const FIRST_CHECK = 'CHECK_IMMUNITY_TIME_IN_SECONDS';
const DUE = 'TIMER_DELIVER_MS';

/** The message of a send. */
export function sentMessage(topic: string, sysFlag: number, propertyText: string, body: Buffer): WireMessage {
  const properties = decodeProperties(propertyText);
  const isHalf = properties.get('TRAN_MSG') === 'true';
  const messageGroup = properties.get('__SHARDINGKEY');
  const firstCheck = properties.get(FIRST_CHECK);
  const dueMs = properties.get(DUE);
  const own = new Set([...OWN, FIRST_CHECK, DUE]);
  return {
    topic: { resourceNamespace: '', name: topic },
    userProperties: Object.fromEntries([...properties].filter(([name]) => !own.has(name))),
    systemProperties: {
      tag: properties.get('TAGS'),
      keys: (properties.get('KEYS') ?? '').split(' ').filter((key) => key !== ''),
      messageId: properties.get('UNIQ_KEY') ?? '',
      bodyDigest: undefined,
      bodyEncoding: (sysFlag & COMPRESSED) === 0 ? Encoding.IDENTITY : Encoding.GZIP,
      messageType: isHalf
        ? MessageType.TRANSACTION
        : messageGroup !== undefined
          ? MessageType.FIFO
          : dueMs === undefined
            ? MessageType.NORMAL
            : MessageType.DELAY,
      bornTimestamp: new Date(Number(properties.get('BORN_TIMESTAMP') ?? 0)),
      bornHost: properties.get('__BORNHOST') ?? '',
      storeHost: '',
      queueId: 0,
      deliveryTimestamp: dueMs === undefined ? undefined : new Date(Number(dueMs)),
      messageGroup,
      orphanedTransactionRecoveryDuration:
        firstCheck === undefined ? undefined : { seconds: BigInt(firstCheck), nanos: 0 },
    },
    body,
  };
}

/** The messages of a batch: each as `int32 size | 3 x int32 | int32 body size | body | int16 properties size | properties`. */
export function sentBatch(topic: string, sysFlag: number, bytes: Buffer): WireMessage[] {
  const messages: WireMessage[] = [];
  for (let at = 0; at < bytes.length; at += bytes.readInt32BE(at)) {
    const bodyEnd = at + 20 + bytes.readInt32BE(at + 16);
    const propertiesEnd = bodyEnd + 2 + bytes.readInt16BE(bodyEnd);
    const properties = bytes.subarray(bodyEnd + 2, propertiesEnd).toString('utf8');
    messages.push(sentMessage(topic, sysFlag, properties, bytes.subarray(at + 20, bodyEnd)));
  }
  return messages;
}

/** Where a stored copy lies. */
type Place = Pick<StoredMessageFields, 'queueOffset' | 'commitLogOffset' | 'reconsumeTimes' | 'storeHost'>;

/** The bytes of a message as its broker keeps it. */
export function storedBytes(message: WireMessage, place: Place): Buffer {
  const { systemProperties: system, body, userProperties, topic } = message;
  const properties = new Map<string, string>(Object.entries(userProperties));
  const add = (name: string, value: string | undefined): void => {
    if (value !== undefined && value !== '') properties.set(name, value);
  };
  add('UNIQ_KEY', system?.messageId);
  add('TAGS', system?.tag);
  add('KEYS', system?.keys.join(' '));
  add('__SHARDINGKEY', system?.messageGroup);
  add('__BORNHOST', system?.bornHost);
  const bytes = Buffer.from(body);
  return encodeStoredMessage({
    ...place,
    topic: topic?.name ?? '',
    queueId: system?.queueId ?? 0,
    sysFlag: system?.bodyEncoding === Encoding.GZIP ? COMPRESSED : 0,
    flag: 0,
    bodyCrc: crc32(bytes) & 0x7f_ff_ff_ff,
    bornTimestampMs: system?.bornTimestamp?.getTime() ?? 0,
    bornHost: '10.0.0.9:0',
    storeTimestampMs: system?.storeTimestamp?.getTime() ?? 0,
    preparedTransactionOffset: 0,
    properties,
    body: bytes,
  });
}
