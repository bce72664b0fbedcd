// The format of values on disk: a mark, a checksum of key and value, the value. LMDB itself does not detect changed bytes.

import { crc32 } from 'node:zlib';

/** MessagePack never uses this byte, so it never begins a value without a checksum. */
const MARK = 0xc1;
const SUM_AT = 1;

/** The bytes that a value leaves free before it, for {@link seal}. */
export const SEAL_BYTES = 5;

/** @param bytes the value after {@link SEAL_BYTES} free ones, which are filled in */
export function seal(key: Uint8Array, bytes: Buffer): Buffer {
  bytes[0] = MARK;
  bytes.writeUInt32LE(sumOf(key, bytes.subarray(SEAL_BYTES)), SUM_AT);
  return bytes;
}

/** @returns undefined if the key or the value was changed after sealing */
export function unsealed(key: Uint8Array, bytes: Buffer): Buffer | undefined {
  if (!isSealed(bytes) || bytes.length < SEAL_BYTES) return undefined;
  const value = bytes.subarray(SEAL_BYTES);
  return bytes.readUInt32LE(SUM_AT) === sumOf(key, value) ? value : undefined;
}

export function isSealed(bytes: Buffer): boolean {
  return bytes[0] === MARK;
}

function sumOf(key: Uint8Array, value: Uint8Array): number {
  return crc32(value, crc32(key));
}
