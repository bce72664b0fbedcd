// Which bodies are packed before they are sent, and how many at once. Unpacking is the receivers' affair.

import { Encoding } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { packBody } from '../../protocol/model/body-encoding.js';
import { DEFAULT_MAX_UNPACKED_BYTES } from '../../protocol/model/limits.js';
import { raceAbort } from '../../support/abort.js';
import { UsageError } from '../../support/errors.js';
import { positiveInteger } from '../../support/options.js';
import { Semaphore } from '../../support/semaphore.js';

/** When bodies are packed with gzip. */
export interface CompressionOptions {
  /** Bodies of this many bytes and more are packed. Default 4096. */
  readonly thresholdBytes?: number;
  /** 1 (fast) to 9 (small). Default: zlib's own, 6. */
  readonly level?: number;
}

/** A body as it goes on the wire. */
export interface WireBody {
  readonly bytes: Buffer;
  readonly encoding: Encoding;
}

const DEFAULT_THRESHOLD_BYTES = 4096;
const MAX_LEVEL = 9;
/** Packing runs on Node's four worker threads, which files and name look-ups need, too. */
const CONCURRENT_PACKS = 2;

/** Packs bodies, where the options say so. */
export class BodyPacker {
  private readonly thresholdBytes: number;
  private readonly level: number | undefined;
  private readonly permits = new Semaphore(CONCURRENT_PACKS);

  /** @param options undefined: nothing is packed @throws UsageError that names the option */
  constructor(options: CompressionOptions | undefined) {
    const { thresholdBytes = DEFAULT_THRESHOLD_BYTES, level } = options ?? {};
    positiveInteger('compression.thresholdBytes', thresholdBytes);
    if (level !== undefined && positiveInteger('compression.level', level) > MAX_LEVEL) {
      const text = `option compression.level must be a whole number from 1 to ${MAX_LEVEL}, not ${level}`;
      throw new UsageError('ILLEGAL_OPTION', text, 'compression.level');
    }
    this.thresholdBytes = options === undefined ? Number.POSITIVE_INFINITY : thresholdBytes;
    this.level = level;
  }

  /** Whether a body of this size is packed. */
  packs(size: number): boolean {
    return size >= this.thresholdBytes;
  }

  /**
   * How large a body may be before it is packed, if it is: what our own receivers would not unpack is not sent.
   * @param serverLimit what the server takes
   */
  maxPlainBytes(size: number, serverLimit: number): number {
    return this.packs(size) ? DEFAULT_MAX_UNPACKED_BYTES : serverLimit;
  }

  /**
   * Packs a body. One that packing does not make smaller stays as it is.
   * @throws the signal's reason
   */
  async pack(body: Buffer, signal: AbortSignal): Promise<WireBody> {
    const leave = await this.permits.acquire(signal);
    // A caller who gives up does not stop the thread, so the permit is given back only when it has ended.
    const packed = await raceAbort(packBody(body, this.level).finally(leave), signal);
    if (packed.length >= body.length) return { bytes: body, encoding: Encoding.IDENTITY };
    return { bytes: packed, encoding: Encoding.GZIP };
  }
}
