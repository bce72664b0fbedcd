// A message in the outbox: as it is passed, stored in a row, and sent.

import { isAnyArrayBuffer, isUint8Array } from 'node:util/types';
import { LIMITS } from '../protocol/model/limits.js';
import { bodyBytes, deliveryTimestampMs, type OutgoingMessage } from '../protocol/model/message.js';
import { assertSendable } from '../protocol/model/message-checks.js';
import { HALF_CHARACTER_PROBLEM, hasHalfCharacter } from '../protocol/model/names.js';
import { UsageError } from '../support/errors.js';
import { describeError } from '../support/logger.js';

/** The property with the id that {@link Outbox.add} returned, which is also the message id; the property survives where the id does not. */
export const OUTBOX_ID_PROPERTY = 'rocketmq-outbox-id';

/** A message for the outbox. All fields of a send except the message id, which the outbox generates. */
export interface OutboxMessage extends Omit<OutgoingMessage, 'messageId' | 'body'> {
  /** Bytes are sent as they are, a string as UTF-8, anything else as JSON. */
  readonly body: unknown;
}

/** A message as its columns, in types that all drivers and ORMs return in the same form. */
export interface OutboxColumns {
  readonly topic: string;
  readonly messageGroup: string | null;
  /** JSON. */
  readonly fields: string;
  /** Base64. */
  readonly body: string;
}

/** Columns as the database returns them. */
export interface StoredColumns extends Omit<OutboxColumns, 'body'> {
  /** Null if it does not fit into an answer of the database. */
  readonly body: string | null;
}

interface Fields {
  readonly tag?: string | undefined;
  readonly keys?: readonly string[] | undefined;
  readonly properties?: Readonly<Record<string, string>> | undefined;
  readonly deliverAtMs?: number | undefined;
  readonly priority?: number | undefined;
  readonly liteTopic?: string | undefined;
}

/**
 * Validates a message like a send does, so that a message that can never be sent is rejected while its transaction can still fail.
 * @throws UsageError that names the field
 */
export function toColumns(message: OutboxMessage, id: string, nowMs: number, maxDelayMs: number): OutboxColumns {
  const body = bytesOf(message);
  const written = { ...message, body, properties: withId(message.properties, id) };
  assertSendable(written, body.length, nowMs, LIMITS.bodyBytes, maxDelayMs);
  const { topic, messageGroup, tag, keys, properties, priority, liteTopic } = message;
  const deliverAtMs = deliveryTimestampMs({ ...message, body }, nowMs);
  const fields: Fields = { tag, keys, properties, deliverAtMs, priority, liteTopic };
  return {
    topic,
    messageGroup: messageGroup ?? null,
    fields: JSON.stringify(fields),
    body: body.toString('base64'),
  };
}

/**
 * The message to send, with its id, which is the same at each attempt.
 * @throws UsageError `UNREADABLE_ROW` for columns that {@link toColumns} did not write, or that the client of the database has changed
 */
export function fromColumns(id: string, { topic, messageGroup, fields, body }: StoredColumns): OutgoingMessage {
  const { tag, keys, properties, deliverAtMs, priority, liteTopic } = fieldsOf(id, fields);
  if (typeof body !== 'string') throw unreadable(id, 'body', 'the database returned none');
  return {
    topic,
    messageId: id,
    body: Buffer.from(body, 'base64'),
    properties: withId(properties, id),
    ...(tag === undefined ? {} : { tag }),
    ...(keys === undefined ? {} : { keys }),
    ...(messageGroup === null ? {} : { messageGroup }),
    ...(deliverAtMs === undefined ? {} : { deliverAt: new Date(deliverAtMs) }),
    ...(priority === undefined ? {} : { priority }),
    ...(liteTopic === undefined ? {} : { liteTopic }),
  };
}

function fieldsOf(id: string, stored: unknown): Fields {
  const fields = typeof stored === 'string' ? parsed(id, stored) : stored;
  if (typeof fields === 'object' && fields !== null && !Array.isArray(fields)) return fields;
  throw unreadable(id, 'fields', 'it is no JSON object');
}

function parsed(id: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw unreadable(id, 'fields', describeError(error));
  }
}

function unreadable(id: string, column: string, problem: string): UsageError {
  const text =
    `row ${id} of the outbox cannot be read (column ${column}: ${problem}), so its message was not sent; ` +
    'correct the row and retry it with outbox.retryParked(), or delete it';
  return new UsageError('UNREADABLE_ROW', text, column);
}

function withId(properties: Fields['properties'], id: string): Record<string, string> {
  return { ...properties, [OUTBOX_ID_PROPERTY]: id };
}

function bytesOf({ topic, body }: OutboxMessage): Buffer {
  const rejected = (problem: string, cause?: unknown): UsageError =>
    new UsageError('ILLEGAL_BODY', `message to "${topic}": body ${problem}; nothing was added`, 'body', { cause });
  if (typeof body === 'string' && hasHalfCharacter(body)) throw rejected(HALF_CHARACTER_PROBLEM);
  if (typeof body === 'string' || isUint8Array(body)) return bodyBytes(body);
  // As JSON they would be objects without their bytes.
  if (isAnyArrayBuffer(body) || ArrayBuffer.isView(body)) {
    throw rejected('has bytes in another form than a Buffer or a Uint8Array, and these have no JSON form');
  }
  let text: string | undefined;
  try {
    text = JSON.stringify(body);
  } catch (cause) {
    throw rejected(`cannot be encoded (${describeError(cause)})`, cause);
  }
  if (text === undefined) throw rejected(`is ${typeof body}, which JSON cannot represent`);
  return Buffer.from(text);
}
