// Compresses bodies with gzip, and decompresses them within a bound. The producer decides when to compress.

import { promisify } from 'node:util';
import { gzip, unzip, unzipSync } from 'node:zlib';

const pack = promisify(gzip);
const unpack = promisify(unzip);

/** Compresses a body, off the main thread. @param level 1 (fast) to 9 (small); default: that of zlib */
export function packBody(body: Uint8Array, level?: number): Promise<Buffer> {
  return pack(body, { level });
}

/**
 * Decompresses a gzip or zlib body, off the main thread. Clients of the remoting protocol use zlib, and the proxy reports both as GZIP.
 * @throws Error when it is neither, or would exceed `maxBytes` bytes
 * @see https://github.com/apache/rocketmq-clients/issues/667
 */
export function unpackBody(body: Uint8Array, maxBytes: number): Promise<Buffer> {
  return unpack(body, { maxOutputLength: maxBytes });
}

/** Like {@link unpackBody}, but synchronous. */
export function unpackBodyNow(body: Uint8Array, maxBytes: number): Buffer {
  return unzipSync(body, { maxOutputLength: maxBytes });
}
