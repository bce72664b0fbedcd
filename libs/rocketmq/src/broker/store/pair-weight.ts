// Estimates the memory that pairs of the store take, by the sizes of objects on a 64-bit machine. memory-limit.spec.ts compares the
// estimate with what the heap really takes.

import type { DeliveryRecord, StoredMessage } from './records.js';
import type { Key } from './store.js';

/** A key, its place in the tree, and a number or a flag as its value. */
const PAIR_BYTES = 176;
/** A record: its objects, without its texts. */
const RECORD_BYTES = 256;
/** A message: its object, its times, its lists, and the objects that hold its body. */
const MESSAGE_BYTES = 512;
/** The header of a string, and the reference to it. */
const TEXT_BYTES = 32;
/** The place of a property in its object, beside its two strings. */
const PROPERTY_BYTES = 64;
/** One such character makes a string take two bytes for each of its characters. */
const WIDE = /[^\0-\xff]/;

/** What a pair takes, in bytes. */
export function weightOf(key: Key, value: unknown): number {
  let bytes = PAIR_BYTES;
  for (const part of key) if (typeof part === 'string') bytes += part.length;
  if (typeof value === 'string') return bytes + weightOfText(value);
  return typeof value === 'object' && value !== null ? bytes + weightOfRecord(value) : bytes;
}

/** The fields by which records differ in their size. */
type Record = Partial<StoredMessage & DeliveryRecord> & { readonly message?: StoredMessage };

function weightOfRecord(record: Record): number {
  if (record.body !== undefined) return weightOfMessage(record as StoredMessage);
  if (record.message !== undefined) return RECORD_BYTES + weightOfMessage(record.message);
  const { state } = record;
  return state?.kind === 'leased' ? RECORD_BYTES + weightOfText(state.holder) : RECORD_BYTES;
}

function weightOfMessage(message: StoredMessage): number {
  const { keys = [], properties = {} } = message;
  let bytes = MESSAGE_BYTES + message.body.length;
  for (const key of keys) bytes += weightOfText(key);
  for (const name in properties)
    bytes += PROPERTY_BYTES + weightOfText(name) + weightOfText(properties[name] as string);
  bytes += weightOfText(message.messageId) + weightOfText(message.bornHost) + weightOfText(message.tag);
  bytes += weightOfText(message.messageGroup) + weightOfText(message.liteTopic) + weightOfText(message.traceContext);
  return bytes;
}

function weightOfText(text = ''): number {
  return TEXT_BYTES + (WIDE.test(text) ? 2 : 1) * text.length;
}
