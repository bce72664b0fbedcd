// google.protobuf.Duration to and from milliseconds.

import type { Duration } from './generated/google/protobuf/duration.js';

/** Milliseconds as the wire's duration. Fractions of a millisecond are kept as nanoseconds. */
export function toDuration(durationMs: number): Duration {
  const wholeMs = Math.trunc(durationMs);
  const seconds = Math.trunc(wholeMs / 1000);
  return { seconds: BigInt(seconds), nanos: Math.round((durationMs - seconds * 1000) * 1e6) };
}

/** The wire's duration in milliseconds. */
export function durationMs(duration: Duration): number {
  return Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}
