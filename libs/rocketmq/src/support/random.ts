// Injectable randomness, so that a run can be reproduced.

import { randomBytes, randomUUID } from 'node:crypto';

/** A source of random values. */
export interface Random {
  /** A number of at least 0 and below 1. */
  next(): number;
  bytes(size: number): Buffer;
  uuid(): string;
}

/** The system's random source. */
export const systemRandom: Random = {
  next: () => Math.random(),
  bytes: (size) => randomBytes(size),
  uuid: () => randomUUID(),
};
