// Bodies packed with gzip, and unpacked within a bound. Off the main thread; when to pack is the producer's affair.

import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';

const pack = promisify(gzip);
const unpack = promisify(gunzip);

/** Packs a body. @param level 1 (fast) to 9 (small); default: zlib's own */
export function packBody(body: Uint8Array, level?: number): Promise<Buffer> {
  return pack(body, { level });
}

/** Unpacks a body. @throws Error when it is no gzip, or would have more than `maxBytes` bytes */
export function unpackBody(body: Uint8Array, maxBytes: number): Promise<Buffer> {
  return unpack(body, { maxOutputLength: maxBytes });
}
