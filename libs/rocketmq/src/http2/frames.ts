// The layout and the constants of frames (RFC 9113, sections 4, 6 and 7).

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const FLAG = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 32 } as const;

export const SETTING = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

/** Why a stream or a connection was ended (RFC 9113, section 7). */
export const HTTP2_CODE = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  enhanceYourCalm: 11,
} as const;

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(HTTP2_CODE).map(([name, code]) => [
    code,
    name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase(),
  ]),
);

/** The name of a code as in the RFC, such as `REFUSED_STREAM`. */
export function nameOfCode(code: number): string {
  return NAMES.get(code) ?? String(code);
}

/** Ends a connection: its peer does not keep the protocol. */
export class Http2Error extends Error {
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(`${nameOfCode(code)}: ${message}`);
    this.name = 'Http2Error';
  }
}

export const FRAME_HEADER_BYTES = 9;
/** The largest payload that this side accepts: the initial value, which it never raises. */
export const MAX_FRAME_BYTES = 16_384;
export const INITIAL_WINDOW_BYTES = 65_535;
export const MAX_WINDOW_BYTES = 2 ** 31 - 1;
export const MAX_STREAM_ID = 2 ** 31 - 1;
export const CLIENT_PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** Writes the header of a frame at a position. */
export function writeFrameHeader(
  buffer: Buffer,
  at: number,
  { length, type, flags, streamId }: { length: number; type: number; flags: number; streamId: number },
): void {
  buffer[at] = length >>> 16;
  buffer[at + 1] = length >>> 8;
  buffer[at + 2] = length;
  buffer[at + 3] = type;
  buffer[at + 4] = flags;
  buffer.writeUInt32BE(streamId, at + 5);
}
