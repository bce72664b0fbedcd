// Converts a message to the format of the server's commit log.

import { crc32 } from 'node:zlib';
import { Encoding } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { MESSAGE_GROUP_PROPERTY } from '../../protocol/model/names.js';
import { integerIn } from '../../protocol/remoting/property-values.js';
import { type StoredMessageFields, SYS_FLAGS } from '../../protocol/remoting/stored-message.js';
import { addressOf } from '../engine/born-host.js';
import type { Engine } from '../engine/engine.js';
import { CLUSTER_NAME } from '../engine/server-names.js';
import type { MessageEntry } from '../engine/views.js';
import type { StoredMessage } from '../store/records.js';
import type { ClientTime } from '../time/client-time.js';
import { isKeptTopic } from './kept-topics.js';

/** The compression type that also stands for gzip. */
const ZLIB = 0x300;
/** When a message began and ended to wait. */
const MOMENTS = ['TIMER_ENQUEUE_MS', 'TIMER_DEQUEUE_MS'];
/** Of a message whose transaction was committed. @see MessageSysFlag of the server */
const COMMITTED = 8;

/** Who writes the messages down, and for whom. */
interface StoredPlace {
  /** `host:port` of the broker. */
  readonly address: string;
  readonly clientTime: ClientTime;
  readonly engine: Pick<Engine, 'findTopic' | 'logOffsets'>;
}

/** @see MessageConst of the server for the names of the properties */
export function storedFieldsOf(
  { topic, queueId, offset, message }: MessageEntry,
  { address, clientTime, engine }: StoredPlace,
): StoredMessageFields {
  const isPacked = message.bodyEncoding === Encoding.GZIP;
  const packed = isPacked ? SYS_FLAGS.compressed | (message.remoting?.sysFlag ?? ZLIB) : 0;
  // What the server keeps in topics of its own is not in a log here.
  const isInLog = engine.findTopic(topic) !== undefined;
  return {
    topic,
    queueId,
    flag: message.remoting?.flag ?? 0,
    reconsumeTimes: message.earlierAttempts,
    body: message.body,
    queueOffset: offset,
    commitLogOffset: isInLog ? engine.logOffsets.of({ topic, queueId, offset }) : 0,
    preparedTransactionOffset: 0,
    sysFlag: packed | (message.type === 'transaction' && isInLog ? COMMITTED : 0),
    bodyCrc: crc32(message.body) & 0x7f_ff_ff_ff,
    bornTimestampMs: clientTime.toClient(message.bornTimestampMs),
    bornHost: addressOf(message.bornHost),
    storeTimestampMs: clientTime.toClient(message.storeTimestampMs),
    storeHost: address,
    properties: propertiesOf(isKeptTopic(topic) ? inTime(message, clientTime) : message, clientTime),
  };
}

/** The properties, with their moments in the time of clients. */
function timesOf(properties: StoredMessage['properties'], clientTime: ClientTime): StoredMessage['properties'] {
  if (properties.TIMER_OUT_MS === undefined) return properties;
  const times: Record<string, string> = {};
  for (const name of MOMENTS) {
    const atMs = integerIn(properties[name]);
    if (atMs !== undefined) times[name] = String(clientTime.toClient(atMs));
  }
  const outMs = integerIn(properties.TIMER_OUT_MS);
  return { ...properties, ...times, ...(outMs !== undefined && { TIMER_OUT_MS: outIn(outMs, clientTime) }) };
}

/** One millisecond before the due time. */
function outIn(outMs: number, clientTime: ClientTime): string {
  return String(clientTime.toClient(outMs + 1) - 1);
}

/** With the moments among the properties that the server adds to what it keeps in topics of its own. */
function inTime(message: StoredMessage, clientTime: ClientTime): StoredMessage {
  const properties = { ...message.properties };
  const { TIMER_OUT_MS: outMs, '1ST_POP_TIME': firstAtMs } = properties;
  if (outMs !== undefined) properties.TIMER_OUT_MS = outIn(Number(outMs), clientTime);
  if (firstAtMs !== undefined) properties['1ST_POP_TIME'] = String(clientTime.toClient(Number(firstAtMs)));
  return { ...message, properties };
}

/** What a broker adds to the messages of clients (5.5.0). */
const SIGNATURE = { MSG_REGION: 'DefaultRegion', CLUSTER: CLUSTER_NAME, TRACE_ON: 'true' };

function propertiesOf(message: StoredMessage, clientTime: ClientTime): Map<string, string> {
  const { remoting, deliveryTimestampMs: deliverAtMs } = message;
  const properties = new Map<string, string>();
  const set = (name: string, value: string | number | undefined): void => {
    if (value !== undefined) properties.set(name, String(value));
  };
  const setAll = (others: StoredMessage['properties']): void => {
    for (const name of Object.keys(others)) set(name, others[name]);
  };
  set('UNIQ_KEY', message.messageId);
  set('TAGS', message.tag);
  set('KEYS', message.keys.length === 0 ? undefined : message.keys.join(' '));
  set(MESSAGE_GROUP_PROPERTY, message.messageGroup);
  set('_SYS_MSG_PRIORITY_', message.priority);
  set('__LITE_TOPIC', message.liteTopic);
  set('TRACE_CONTEXT', message.traceContext);
  set('TIMER_DELIVER_MS', deliverAtMs === undefined ? undefined : clientTime.toClient(deliverAtMs));
  set('RETRY_TOPIC', message.originTopic);
  if (remoting === undefined) {
    // Proxies add them.
    set('__BORNHOST', message.bornHost);
    set('BORN_TIMESTAMP', clientTime.toClient(message.bornTimestampMs));
  } else {
    if (remoting.isSigned) setAll(SIGNATURE);
    setAll(timesOf(remoting.properties, clientTime));
  }
  setAll(message.properties);
  return properties;
}
