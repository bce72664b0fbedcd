// Offsets as the API shows them. On the wire they have 64 bits.

/**
 * An offset of the wire as a number, so that what contains it can be compared, added and written as JSON.
 *
 * The number is exact up to 2^53 - 1: a queue that stores a million messages a second reaches that after 285 years. A server that claims more, such as
 * `Long.MAX_VALUE` for "no limit", gets the largest exact number, since it still lies after every message, and one strange queue must not make
 * the answer for all others fail. Negative numbers, such as -1 for "none", stay what they are.
 */
export function toOffset(value: bigint): number {
  return Math.min(Math.max(Number(value), Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
}
