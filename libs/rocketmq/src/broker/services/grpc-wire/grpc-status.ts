// The statuses of gRPC itself. The protocol's own codes are inside the answers and not known here.

/** The status codes that this server uses (grpc/doc/statuscodes.md). */
export const GRPC_STATUS = {
  ok: 0,
  cancelled: 1,
  invalidArgument: 3,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;

export type GrpcStatusName = Exclude<keyof typeof GRPC_STATUS, 'ok'>;

/** Ends a call with a status of gRPC. */
export class GrpcError extends Error {
  constructor(
    readonly status: GrpcStatusName,
    message: string,
  ) {
    super(message);
    this.name = 'GrpcError';
  }
}

/** A text for `grpc-message`: printable ASCII stays, the rest is percent-encoded UTF-8 (grpc/doc/PROTOCOL-HTTP2.md). */
export function encodeStatusMessage(message: string): string {
  let encoded = '';
  for (const byte of Buffer.from(message)) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}
