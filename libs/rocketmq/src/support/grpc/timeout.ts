// The header `grpc-timeout`.

import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../clock.js';
import { GrpcError } from './status.js';

const UNIT_MS: Readonly<Record<string, number>> = {
  H: HOUR_MS,
  M: MINUTE_MS,
  S: SECOND_MS,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/**
 * Milliseconds until the deadline; Infinity without the header. The result can exceed 32 bits: official clients send 60 years
 * (`31535999M`).
 * @throws GrpcError internal for an invalid timeout
 */
export function timeoutMs(header: string | undefined): number {
  if (header === undefined) return Number.POSITIVE_INFINITY;
  const [, digits, unit = ''] = /^(\d{1,8})([HMSmun])$/.exec(header) ?? [];
  if (digits === undefined) throw new GrpcError('internal', `invalid grpc-timeout "${header}"`);
  return Number(digits) * (UNIT_MS[unit] as number);
}

/** Rounds the deadline up: a header value that repeats takes one byte on the wire. The client's timeout is exact, the server's slightly later. */
const TIMEOUT_STEP_MS = 100;
/** gRPC allows eight digits. */
const MAX_TIMEOUT = 99_999_999;

/** The header for a deadline. */
export function timeoutText(timeoutMs: number): string {
  const ms = Math.max(1, Math.ceil(timeoutMs / TIMEOUT_STEP_MS)) * TIMEOUT_STEP_MS;
  return ms <= MAX_TIMEOUT ? `${ms}m` : `${Math.min(MAX_TIMEOUT, Math.ceil(ms / 1_000))}S`;
}
