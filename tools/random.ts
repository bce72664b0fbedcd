// Reproducible random numbers and choices.

/** Returns numbers from 0 to below 1. */
export type Chance = () => number;

/** The same numbers for the same seed (mulberry32). */
export function seededRandom(seed: number): Chance {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

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
