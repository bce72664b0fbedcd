// The status codes of gRPC itself and their form in trailers. RocketMQ's own codes are inside the answers and not handled here.

/** Status codes (grpc/doc/statuscodes.md). */
export const GRPC_STATUS = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

export type GrpcStatusName = Exclude<keyof typeof GRPC_STATUS, 'ok'>;

/** Ends a call with a gRPC status. */
export class GrpcError extends Error {
  constructor(
    readonly status: GrpcStatusName,
    message: string,
  ) {
    super(message);
    this.name = 'GrpcError';
  }
}

/** Encodes a string for `grpc-message`: printable ASCII stays, the rest is percent-encoded UTF-8 (grpc/doc/PROTOCOL-HTTP2.md). */
export function encodeStatusMessage(message: string): string {
  let encoded = '';
  for (const byte of Buffer.from(message)) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

/** Decodes a `grpc-message`; returns it unchanged if it is malformed. */
export function decodeStatusMessage(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}

/** The status for an HTTP response without a gRPC status (grpc/doc/http-grpc-status-mapping.md). */
export function statusOfHttp(httpStatus: number): number {
  if (httpStatus === 400) return GRPC_STATUS.internal;
  if (httpStatus === 401) return GRPC_STATUS.unauthenticated;
  if (httpStatus === 403) return GRPC_STATUS.permissionDenied;
  if (httpStatus === 404) return GRPC_STATUS.unimplemented;
  return [429, 502, 503, 504].includes(httpStatus) ? GRPC_STATUS.unavailable : GRPC_STATUS.unknown;
}
