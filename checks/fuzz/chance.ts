// Random choices from a seeded generator (tools/seeded-random.ts).

/** Returns numbers from 0 to below 1. */
export type Chance = () => number;

/** An integer from 0 to below `end`. */
export function below(chance: Chance, end: number): number {
  return Math.floor(chance() * end);
}

/** @throws RangeError for an empty list */
export function oneOf<T>(chance: Chance, list: readonly T[]): T {
  if (list.length === 0) throw new RangeError('nothing to choose from');
  return list[below(chance, list.length)] as T;
}

/** Random bytes. */
export function noise(chance: Chance, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => below(chance, 256)));
}
