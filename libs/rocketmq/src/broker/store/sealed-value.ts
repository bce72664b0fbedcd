// The format of values on disk: a mark, a checksum of key and value, the value. LMDB itself does not detect changed bytes.

import { crc32 } from 'node:zlib';

/** MessagePack never uses this byte, so it never begins a value without a checksum. */
const MARK = 0xc1;
const SUM_AT = 1;
const VALUE_AT = 5;

export function sealed(key: Uint8Array, value: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(VALUE_AT + value.length);
  bytes[0] = MARK;
  bytes.writeUInt32LE(sumOf(key, value), SUM_AT);
  bytes.set(value, VALUE_AT);
  return bytes;
}

/** @returns undefined if the key or the value was changed after sealing */
export function unsealed(key: Uint8Array, bytes: Buffer): Buffer | undefined {
  if (!isSealed(bytes) || bytes.length < VALUE_AT) return undefined;
  const value = bytes.subarray(VALUE_AT);
  return bytes.readUInt32LE(SUM_AT) === sumOf(key, value) ? value : undefined;
}

export function isSealed(bytes: Buffer): boolean {
  return bytes[0] === MARK;
}

function sumOf(key: Uint8Array, value: Uint8Array): number {
  return crc32(value, crc32(key));
}
