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
