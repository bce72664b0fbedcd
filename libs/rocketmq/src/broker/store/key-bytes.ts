// Encodes keys as bytes that sort like `compareKeys`, for stores that compare bytes.

import type { Key, KeyPart } from './store.js';

/** Below every first byte of a key, and above every byte of one. */
export const BEFORE_ALL_KEYS = Buffer.from([0x01]);
export const AFTER_ALL_KEYS = Buffer.from([0xff]);

/** LMDB's limit for pages of 4 KiB. */
export const MAX_KEY_BYTES = 1_978;

const NUMBER = 0x01;
const STRING = 0x02;
const END_OF_STRING = 0x00;
/** After a zero byte: the zero is a character and not the end. Greater than the first byte of any part, to keep the order. */
const ZERO_CHARACTER = 0xff;
const NUMBER_BYTES = 9;
/** The maximum number of bytes of a UTF-16 code unit. */
const UNIT_BYTES = 3;

/** An upper bound of the length of an encoded key. */
export function longestBytes(key: Key): number {
  let bytes = 0;
  for (const part of key) bytes += typeof part === 'number' ? NUMBER_BYTES : part.length * UNIT_BYTES + 2;
  return bytes;
}

/**
 * A number is encoded as its IEEE 754 bytes with the sign inverted, so that bytes sort like values. A string is encoded as its
 * UTF-16 code units in UTF-8, surrogates included (CESU-8), so that bytes sort like code units, followed by a zero.
 */
export function keyToBytes(key: Key): Buffer {
  const bytes = Buffer.allocUnsafe(longestBytes(key));
  let at = 0;
  for (const part of key) at = typeof part === 'number' ? putNumber(bytes, at, part) : putString(bytes, at, part);
  return bytes.subarray(0, at);
}

/** @throws RangeError for bytes that are no key */
export function bytesToKey(bytes: Buffer): Key {
  const key: KeyPart[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes[at] === NUMBER) {
      key.push(numberAt(bytes, at + 1));
      at += NUMBER_BYTES;
    } else {
      const end = bytes[at] === STRING ? endOfString(bytes, at + 1) : -1;
      if (end < 0) throw new RangeError('the bytes are no key');
      key.push(stringIn(bytes, at + 1, end));
      at = end + 1;
    }
  }
  return key;
}

function putNumber(bytes: Buffer, at: number, value: number): number {
  bytes[at] = NUMBER;
  // Adding 0 turns -0 into 0.
  bytes.writeDoubleBE(value + 0, at + 1);
  turnSign(bytes, at + 1, (bytes[at + 1] as number) >= 0x80);
  return at + NUMBER_BYTES;
}

function numberAt(bytes: Buffer, at: number): number {
  const copy = Buffer.from(bytes.subarray(at, at + 8));
  turnSign(copy, 0, (copy[0] as number) < 0x80);
  return copy.readDoubleBE(0);
}

function turnSign(bytes: Buffer, at: number, isNegative: boolean): void {
  if (!isNegative) bytes[at] = (bytes[at] as number) ^ 0x80;
  else for (let index = at; index < at + 8; index++) bytes[index] = ~(bytes[index] as number);
}

function putString(bytes: Buffer, start: number, text: string): number {
  let at = start;
  bytes[at++] = STRING;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit === 0) {
      bytes[at++] = 0;
      bytes[at++] = ZERO_CHARACTER;
    } else if (unit < 0x80) {
      bytes[at++] = unit;
    } else {
      if (unit < 0x800) bytes[at++] = 0xc0 | (unit >> 6);
      else {
        bytes[at++] = 0xe0 | (unit >> 12);
        bytes[at++] = 0x80 | ((unit >> 6) & 0x3f);
      }
      bytes[at++] = 0x80 | (unit & 0x3f);
    }
  }
  bytes[at++] = END_OF_STRING;
  return at;
}

function endOfString(bytes: Buffer, start: number): number {
  let at = bytes.indexOf(END_OF_STRING, start);
  while (at >= 0 && bytes[at + 1] === ZERO_CHARACTER) at = bytes.indexOf(END_OF_STRING, at + 2);
  return at;
}

function stringIn(bytes: Buffer, start: number, end: number): string {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte >= 0x80 || byte === 0) return unitsIn(bytes, start, end);
  }
  return bytes.toString('latin1', start, end);
}

function unitsIn(bytes: Buffer, start: number, end: number): string {
  const units: number[] = [];
  let at = start;
  const next = (): number => (bytes[at++] as number) & 0x3f;
  while (at < end) {
    const first = bytes[at++] as number;
    if (first === 0) {
      units.push(0);
      at++;
    } else if (first < 0x80) units.push(first);
    else if (first < 0xe0) units.push(((first & 0x1f) << 6) | next());
    else units.push(((first & 0x0f) << 12) | (next() << 6) | next());
  }
  return units.map((unit) => String.fromCharCode(unit)).join('');
}
