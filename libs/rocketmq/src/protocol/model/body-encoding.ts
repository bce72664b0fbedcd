// Bodies packed with gzip, and unpacked within a bound. When to pack is the producer's affair.

import { promisify } from 'node:util';
import { gzip, unzip, unzipSync } from 'node:zlib';

const pack = promisify(gzip);
const unpack = promisify(unzip);

/** Packs a body, off the main thread. @param level 1 (fast) to 9 (small); default: zlib's own */
export function packBody(body: Uint8Array, level?: number): Promise<Buffer> {
  return pack(body, { level });
}

/**
 * Unpacks a body of gzip, or of zlib, off the main thread: so clients of the remoting protocol pack, and the proxy tells both as GZIP.
 * @throws Error when it is neither, or would have more than `maxBytes` bytes
 * @see https://github.com/apache/rocketmq-clients/issues/667
 */
export function unpackBody(body: Uint8Array, maxBytes: number): Promise<Buffer> {
  return unpack(body, { maxOutputLength: maxBytes });
}

/** Like {@link unpackBody}, at once, on the main thread. */
export function unpackBodyNow(body: Uint8Array, maxBytes: number): Buffer {
  return unzipSync(body, { maxOutputLength: maxBytes });
}
