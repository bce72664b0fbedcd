// Compresses bodies, and decompresses them within a bound. The producer decides when to compress.

import { promisify } from 'node:util';
import { deflate, gzip, unzip, unzipSync } from 'node:zlib';

/**
 * How a body is compressed: as clients of gRPC do, or as those of the remoting protocol do. A message does not say which, and Java
 * clients of the remoting protocol read zlib only.
 */
export type BodyFormat = 'gzip' | 'zlib';

const PACK = { gzip: promisify(gzip), zlib: promisify(deflate) };
const unpack = promisify(unzip);

/** Compresses a body, off the main thread. @param level 1 (fast) to 9 (small); default: that of zlib */
export function packBody(body: Uint8Array, format: BodyFormat, level?: number): Promise<Buffer> {
  return PACK[format](body, { level });
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
