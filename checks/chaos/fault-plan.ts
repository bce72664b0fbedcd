// The faults of a run, their times and durations, derived from the seed before anything is started.

import { below, type Chance, oneOf, seededRandom } from '../../tools/random.js';

/** The faults of a process. `stop` is SIGSTOP and, later, SIGCONT; `restart` is SIGTERM and a start. */
export type ProcessFaultKind = 'kill' | 'stop' | 'restart';
/** The faults of the connections between an app and the server. */
export type LinkFaultKind = 'drop' | 'delay' | 'half-close' | 'reset';
export type FaultKind = ProcessFaultKind | LinkFaultKind;

export const FAULT_KINDS = ['kill', 'stop', 'restart', 'drop', 'delay', 'half-close', 'reset'] as const;

/** How a link drops, delays or closes. */
export type LinkFault =
  /** Everything is dropped silently, or only the answers are. */
  | { readonly kind: 'drop'; readonly lost: 'everything' | 'answers' }
  /** Every chunk is delayed by this much. */
  | { readonly kind: 'delay'; readonly delayMs: number }
  /** One side sees that the other has half-closed. */
  | { readonly kind: 'half-close'; readonly towards: 'app' | 'server' }
  /** Open and new connections are reset. */
  | { readonly kind: 'reset' };

/** A fault with its target and time. */
export type PlannedFault = (LinkFault | { readonly kind: ProcessFaultKind }) & {
  /** The name of a process, or of the app whose link is affected. */
  readonly target: string;
  /** From the start of its group. */
  readonly afterMs: number;
  /** The duration, after which the process is started or continued, or the link works again. */
  readonly lengthMs: number;
};

/** One fault, or two that overlap. The next group follows when traffic flows again, after a pause. */
export interface FaultGroup {
  readonly pauseMs: number;
  readonly faults: readonly PlannedFault[];
}

/** The targets of faults. */
export interface Breakable {
  /** The processes by name, and the faults of each. */
  readonly processes: ReadonlyMap<string, readonly ProcessFaultKind[]>;
  /** The apps whose link to the server can have faults. */
  readonly links: readonly string[];
}

export interface PlanOptions {
  readonly seed: number;
  /** How often each kind of fault affects each of its targets. Each takes about a minute. */
  readonly rounds: number;
  /** Whether some stops are longer than the lease of a message. */
  readonly withLongStops?: boolean;
}

const PAUSE_MS = { least: 200, most: 1_200 };
const LENGTH_MS = { least: 300, most: 1_800 };
const DELAY_MS = { least: 100, most: 500 };
/** Longer than a lease of 10 s. */
const LONG_STOP_MS = { least: 10_500, most: 12_000 };
/** One in this many stops is a long one. */
const LONG_STOP_ONE_OF = 3;
/** The fraction of groups with two faults. */
const DOUBLE_SHARE = 0.4;

/** The faults of a run. The same options give the same faults. */
export function planOf(
  breakable: Breakable,
  { seed, rounds, withLongStops = false }: PlanOptions,
): readonly FaultGroup[] {
  const chance = seededRandom(seed);
  return Array.from({ length: rounds }, () => {
    const faults = shuffled(chance, everyFault(breakable, chance, withLongStops));
    return faultGroupsOf(chance, faults);
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

/** Combines some faults to pairs, never two on one target. */
function faultGroupsOf(chance: Chance, faults: readonly PlannedFault[]): FaultGroup[] {
  const left = [...faults];
  const faultGroups: FaultGroup[] = [];
  for (let first = left.shift(); first !== undefined; first = left.shift()) {
    const pauseMs = between(chance, PAUSE_MS);
    const { target, lengthMs } = first;
    const partner = chance() < DOUBLE_SHARE ? left.findIndex((fault) => fault.target !== target) : -1;
    const second = partner < 0 ? undefined : left.splice(partner, 1)[0];
    const together = second === undefined ? [] : [{ ...second, afterMs: below(chance, lengthMs) }];
    faultGroups.push({ pauseMs, faults: [first, ...together] });
  }
  return faultGroups;
}

function between(chance: Chance, { least, most }: { readonly least: number; readonly most: number }): number {
  return least + below(chance, most - least + 1);
}

function shuffled<T>(chance: Chance, list: readonly T[]): T[] {
  const left = [...list];
  return list.map(() => left.splice(below(chance, left.length), 1)[0] as T);
}

/** A short description of a fault. */
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
