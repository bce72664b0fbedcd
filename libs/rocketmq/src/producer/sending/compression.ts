// Which bodies are compressed before they are sent, and how many at once.

import { Encoding } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { type BodyFormat, packBody } from '../../protocol/model/body-encoding.js';
import { DEFAULT_MAX_UNPACKED_BYTES } from '../../protocol/model/limits.js';
import { raceAbort } from '../../support/abort.js';
import { integerFrom, type OptionChecks, positiveInteger } from '../../support/options.js';
import { Semaphore } from '../../support/semaphore.js';

/** When bodies are compressed: with gzip, or by name server with zlib, which is what clients of the remoting protocol read. */
export interface CompressionOptions {
  /** The smallest body that is compressed, in bytes. Default 4096. */
  readonly thresholdBytes?: number;
  /** The compression level, 1 (fast) to 9 (small). Default: that of zlib, 6. */
  readonly level?: number;
}

/** @internal */
export const COMPRESSION_CHECKS: OptionChecks<CompressionOptions> = {
  thresholdBytes: positiveInteger,
  level: integerFrom(1, 9),
};

/** A body as it is sent. */
export interface WireBody {
  readonly bytes: Buffer;
  readonly encoding: Encoding;
}

const DEFAULT_THRESHOLD_BYTES = 4096;
/** Compression runs on Node's four worker threads, which file access and DNS lookups need, too. */
const CONCURRENT_PACKS = 2;

/** Compresses bodies according to the options. */
export class BodyPacker {
  private readonly thresholdBytes: number;
  private readonly level: number | undefined;
  private readonly permits = new Semaphore(CONCURRENT_PACKS);

  /** @param options undefined: no compression */
  constructor(
    options: CompressionOptions | undefined,
    private readonly format: BodyFormat,
  ) {
    const { thresholdBytes = DEFAULT_THRESHOLD_BYTES, level } = options ?? {};
    this.thresholdBytes = options === undefined ? Number.POSITIVE_INFINITY : thresholdBytes;
    this.level = level;
  }

  /** Whether a body of this size is compressed. */
  packs(size: number): boolean {
    return size >= this.thresholdBytes;
  }

  /**
   * How large a body may be before compression: a body that this library's consumers would not decompress is not sent.
   * @param serverLimit the server's limit
   */
  maxPlainBytes(size: number, serverLimit: number): number {
    return this.packs(size) ? DEFAULT_MAX_UNPACKED_BYTES : serverLimit;
  }

  /**
   * Compresses a body. It stays as it is if compression does not make it smaller.
   * @throws the signal's reason
   */
  async pack(body: Buffer, signal: AbortSignal): Promise<WireBody> {
    const leave = await this.permits.acquire(signal);
    // Aborting does not stop the thread, so the permit is released only when the thread has ended.
    const packed = await raceAbort(packBody(body, this.format, this.level).finally(leave), signal);
    if (packed.length >= body.length) return { bytes: body, encoding: Encoding.IDENTITY };
    return { bytes: packed, encoding: Encoding.GZIP };
  }
}
