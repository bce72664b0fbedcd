// The form of values on disk. A message is a list there, without the names of its fields, which would be a fifth of a small message and the
// larger part of what its encoding and decoding cost.

import type { RemotingParts, StoredMessage } from './records.js';

/** Begins the list of a message. No other list of the store begins with it. */
const MESSAGE = '\u0000m';

/** LMDB's encoding renames a property `__proto__` when it reads it, so that name is stored as one that no message can have. */
const UNREADABLE = '__proto__';
/** The server rejects control characters in names. */
const WRITTEN = '\u0000__proto__';

type Properties = StoredMessage['properties'];
/** A value of the store, which may be a message or contain one. */
type Fields = Partial<StoredMessage> & { readonly message?: unknown };

/** Converts a value of the store to its form on disk. */
export function toDisk(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { message, messageId, body, properties } = value as Fields;
  if (typeof message === 'object') return { ...value, message: toDisk(message) };
  if (messageId !== undefined && body !== undefined) return toList(value as StoredMessage);
  return properties === undefined ? value : { ...value, properties: renamed(properties, UNREADABLE, WRITTEN) };
}

/** The reverse of {@link toDisk}. Older versions stored messages with the names of their fields. */
export function fromDisk(value: unknown): unknown {
  if (Array.isArray(value)) return value[0] === MESSAGE ? fromList(value) : value;
  if (typeof value !== 'object' || value === null) return value;
  const { message, properties } = value as Fields;
  if (typeof message === 'object') return { ...value, message: fromDisk(message) };
  return properties === undefined ? value : { ...value, properties: renamed(properties, WRITTEN, UNREADABLE) };
}

/** New fields come last: a place in the list is a field's name. */
function toList(message: StoredMessage): unknown[] {
  return [
    MESSAGE,
    message.messageId,
    message.type,
    message.body,
    message.bodyEncoding,
    message.tag ?? null,
    message.keys,
    renamed(message.properties, UNREADABLE, WRITTEN),
    message.messageGroup ?? null,
    message.priority ?? null,
    message.liteTopic ?? null,
    message.traceContext ?? null,
    message.bornTimestampMs,
    message.bornHost,
    message.storeTimestampMs,
    message.deliveryTimestampMs ?? null,
    message.earlierAttempts,
    message.originTopic ?? null,
    message.remoting === undefined ? null : withRenamed(message.remoting, UNREADABLE, WRITTEN),
  ];
}

// biome-ignore lint/suspicious/noExplicitAny: the list is as toList() wrote it
function fromList(list: any[]): Required<StoredMessage> {
  return {
    messageId: list[1],
    type: list[2],
    body: list[3],
    bodyEncoding: list[4],
    tag: list[5] ?? undefined,
    keys: list[6],
    properties: renamed(list[7], WRITTEN, UNREADABLE),
    messageGroup: list[8] ?? undefined,
    priority: list[9] ?? undefined,
    liteTopic: list[10] ?? undefined,
    traceContext: list[11] ?? undefined,
    bornTimestampMs: list[12],
    bornHost: list[13],
    storeTimestampMs: list[14],
    deliveryTimestampMs: list[15] ?? undefined,
    earlierAttempts: list[16],
    originTopic: list[17] ?? undefined,
    remoting: list[18] ? withRenamed(list[18], WRITTEN, UNREADABLE) : undefined,
  } as Required<StoredMessage>;
}

function withRenamed(parts: RemotingParts, from: string, to: string): RemotingParts {
  return { ...parts, properties: renamed(parts.properties, from, to) };
}

function renamed(properties: Properties, from: string, to: string): Properties {
  if (!Object.hasOwn(properties, from)) return properties;
  return Object.fromEntries(Object.entries(properties).map(([name, text]) => [name === from ? to : name, text]));
}
