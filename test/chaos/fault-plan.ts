// What breaks in a run, when, how and for how long: decided by the seed alone before anything is started.

import { seededRandom } from '../crash/seeded-random.js';
import { below, type Chance, oneOf } from '../fuzz/chance.js';

/** What happens to a process. `stop` is SIGSTOP and, later, SIGCONT; `restart` is SIGTERM and a start. */
export type ProcessFaultKind = 'kill' | 'stop' | 'restart';
/** What happens to the connections between an app and the server. */
export type LinkFaultKind = 'drop' | 'delay' | 'half-close' | 'reset';
export type FaultKind = ProcessFaultKind | LinkFaultKind;

export const FAULT_KINDS = ['kill', 'stop', 'restart', 'drop', 'delay', 'half-close', 'reset'] as const;

/** How a way loses, slows or closes. */
export type LinkFault =
  /** Nothing gets through, or no answers do; nobody is notified. */
  | { readonly kind: 'drop'; readonly lost: 'everything' | 'answers' }
  /** Every piece is late by so much. */
  | { readonly kind: 'delay'; readonly delayMs: number }
  /** One of the two sees that the other has finished. */
  | { readonly kind: 'half-close'; readonly towards: 'app' | 'server' }
  /** Connections break, and new ones too. */
  | { readonly kind: 'reset' };

/** A fault with its place and its time. */
export type PlannedFault = (LinkFault | { readonly kind: ProcessFaultKind }) & {
  /** The name of a process, or of the app whose way is hit. */
  readonly target: string;
  /** From the begin of its blow. */
  readonly afterMs: number;
  /** Until its end: the process is started or continued, the way is well again. */
  readonly lengthMs: number;
};

/** One fault, or two that overlap. The next blow comes when traffic flows again, and a pause is over. */
export interface Blow {
  readonly pauseMs: number;
  readonly faults: readonly PlannedFault[];
}

/** What can be broken. */
export interface Breakable {
  /** The processes by name, and what may happen to each. */
  readonly processes: ReadonlyMap<string, readonly ProcessFaultKind[]>;
  /** The apps that have a way to the server which can be hit. */
  readonly links: readonly string[];
}

export interface PlanOptions {
  readonly seed: number;
  /** How many times each kind hits each of its targets: about a minute each. */
  readonly rounds: number;
  /** Whether some stops outlast the lease of a message. */
  readonly withLongStops?: boolean;
}

const PAUSE_MS = { least: 200, most: 1_200 };
const LENGTH_MS = { least: 300, most: 1_800 };
const DELAY_MS = { least: 100, most: 500 };
/** Longer than the 10 s for which a message belongs to who received it. */
const LONG_STOP_MS = { least: 10_500, most: 12_000 };
/** One of so many stops is a long one. */
const LONG_STOP_ONE_OF = 3;
/** So much of all blows are double ones. */
const DOUBLE_SHARE = 0.4;

/** The blows of a run. The same options give the same blows. */
export function planOf(breakable: Breakable, { seed, rounds, withLongStops = false }: PlanOptions): readonly Blow[] {
  const chance = seededRandom(seed);
  return Array.from({ length: rounds }, () => {
    const faults = shuffled(chance, everyFault(breakable, chance, withLongStops));
    return blowsOf(chance, faults);
  }).flat();
}

function everyFault({ processes, links }: Breakable, chance: Chance, withLongStops: boolean): PlannedFault[] {
  const ofProcesses = [...processes].flatMap(([target, kinds]) =>
    kinds.map((kind) => {
      const isLong = withLongStops && kind === 'stop' && below(chance, LONG_STOP_ONE_OF) === 0;
      return { kind, target, afterMs: 0, lengthMs: between(chance, isLong ? LONG_STOP_MS : LENGTH_MS) };
    }),
  );
  const ofLinks = links.flatMap((target) =>
    linkFaults(chance).map((fault) => ({ ...fault, target, afterMs: 0, lengthMs: between(chance, LENGTH_MS) })),
  );
  return [...ofProcesses, ...ofLinks];
}

function linkFaults(chance: Chance): LinkFault[] {
  return [
    { kind: 'drop', lost: oneOf(chance, ['everything', 'answers']) },
    { kind: 'delay', delayMs: between(chance, DELAY_MS) },
    { kind: 'half-close', towards: oneOf(chance, ['app', 'server']) },
    { kind: 'reset' },
  ];
}

/** Puts some of them together, never two on one target. */
function blowsOf(chance: Chance, faults: readonly PlannedFault[]): Blow[] {
  const left = [...faults];
  const blows: Blow[] = [];
  for (let first = left.shift(); first !== undefined; first = left.shift()) {
    const pauseMs = between(chance, PAUSE_MS);
    const { target, lengthMs } = first;
    const partner = chance() < DOUBLE_SHARE ? left.findIndex((fault) => fault.target !== target) : -1;
    const second = partner < 0 ? undefined : left.splice(partner, 1)[0];
    const together = second === undefined ? [] : [{ ...second, afterMs: below(chance, lengthMs) }];
    blows.push({ pauseMs, faults: [first, ...together] });
  }
  return blows;
}

function between(chance: Chance, { least, most }: { readonly least: number; readonly most: number }): number {
  return least + below(chance, most - least + 1);
}

function shuffled<T>(chance: Chance, list: readonly T[]): T[] {
  const left = [...list];
  return list.map(() => left.splice(below(chance, left.length), 1)[0] as T);
}

/** A fault in a few words. */
export function describeFault(fault: PlannedFault): string {
  switch (fault.kind) {
    case 'drop':
      return `drop ${fault.lost === 'answers' ? 'answers to' : 'all of'} ${fault.target}`;
    case 'delay':
      return `delay ${fault.target} by ${fault.delayMs} ms`;
    case 'half-close':
      return fault.towards === 'app' ? `half-close towards ${fault.target}` : `half-close from ${fault.target}`;
    default:
      return `${fault.kind} ${fault.target}`;
  }
}
