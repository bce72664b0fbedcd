// Randomness as an injected thing, so that a run can be repeated.

import { randomBytes, randomUUID } from 'node:crypto';

/** Where random values come from. */
export interface Random {
  /** At least 0, below 1. */
  next(): number;
  bytes(size: number): Buffer;
  uuid(): string;
}

/** The randomness of the machine. */
export const systemRandom: Random = {
  next: () => Math.random(),
  bytes: (size) => randomBytes(size),
  uuid: () => randomUUID(),
};
