// What a check is: a program that judges the library by running it, and what `npm run check` knows about it.

import type { Options, Values } from './options.js';

/** What a run gets beside its options. */
export interface Tools {
  /** Aborted by Ctrl-C, SIGTERM or SIGHUP, and when nobody reads the output any more. A check ends what it has started, then throws. */
  readonly signal: AbortSignal;
  /** Of this run alone. Removed at the end, unless the run has failed and the check keeps it. */
  readonly folder: string;
  /** Writes a line. */
  readonly print: (line: string) => void;
  /** Arguments that the check passes to something else; see `rest`. */
  readonly rest: readonly string[];
}

export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

export interface Check<T extends Options = Options> {
  readonly name: string;
  /** What it proves, in one line. */
  readonly says: string;
  /** The paths of what it judges, beside `tools` and a folder of its name: a change there needs a run. */
  readonly judges: readonly string[];
  /** What has to be installed, beside Node.js. */
  readonly needs?: string;
  readonly options: T;
  /** What arguments that are no options are, if the check takes any. */
  readonly rest?: string;
  /** What a failed run leaves in its folder is worth looking at. */
  readonly keepsFolder?: boolean;
  /** @throws Error when it could not be judged: that counts as one failure */
  run(values: Values<T>, tools: Tools): Promise<Counts>;
}

/** Infers the types of the options. */
export function check<const T extends Options>(definition: Check<T>): Check<T> {
  return definition;
}

/** The counts of a run that is sound, or is not. */
export function verdictOf(isSound: boolean): Counts {
  return isSound ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}
