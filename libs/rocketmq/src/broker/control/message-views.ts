// Messages as the control port returns them: all fields, and the beginning of the body.

import { isUtf8 } from 'node:buffer';
import { Encoding } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { dueAtOf, recallHandleOf } from '../engine/recall-handle.js';
import type { MessageEntry } from '../engine/views.js';
import type { HalfRecord, StoredMessage } from '../store/records.js';
import type { Key } from '../store/store.js';
import type { ClientTime } from '../time/client-time.js';
import type { DelayedMessageState, HalfMessageState, MessageState, VisibleMessageState } from './control-views.js';

/** The most bytes of a body that are returned. */
const SHOWN_BYTES = 4_096;

function messageState(topic: string, message: StoredMessage, clientTime: ClientTime): MessageState {
  const { messageId, type, tag, keys, properties, messageGroup, priority, liteTopic, deliveryTimestampMs } = message;
  const shown = message.body.subarray(0, SHOWN_BYTES);
  // The complete body decides, since cutting may split a character.
  const bodyEncoding = isUtf8(message.body) ? 'utf8' : 'base64';
  return {
    topic,
    messageId,
    messageType: type,
    keys,
    properties,
    ...(tag !== undefined && { tag }),
    ...(messageGroup !== undefined && { messageGroup }),
    ...(priority !== undefined && { priority }),
    ...(liteTopic !== undefined && { liteTopic }),
    bornAtMs: clientTime.toClient(message.bornTimestampMs),
    storedAtMs: clientTime.toClient(message.storeTimestampMs),
    ...(deliveryTimestampMs !== undefined && { deliveryTimestampMs }),
    bodyBytes: message.body.length,
    body: shown.toString(bodyEncoding),
    bodyEncoding,
    isCompressed: message.bodyEncoding === Encoding.GZIP,
    isCut: shown.length < message.body.length,
  };
}

export function visibleMessage(
  { topic, queueId, offset, message }: MessageEntry,
  clientTime: ClientTime,
): VisibleMessageState {
  return { ...messageState(topic, message, clientTime), queueId, offset };
}

/** @param key the key of its record */
export function delayedMessage(key: Key, message: StoredMessage, clientTime: ClientTime): DelayedMessageState {
  const recallHandle = recallHandleOf(key, message.messageId);
  return { ...messageState(key[1] as string, message, clientTime), dueAtMs: dueAtOf(key), recallHandle };
}

export function halfMessage(
  topic: string,
  { message, transactionId, checks, nextCheckAtMs }: HalfRecord,
  clientTime: ClientTime,
): HalfMessageState {
  return { ...messageState(topic, message, clientTime), transactionId, checks, nextCheckAtMs };
}
