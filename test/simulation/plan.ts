// What a seed means: a system of a certain shape, its work, and the faults that it meets. Plain data, so that it can be cut down.

import { MINUTE_MS, SECOND_MS } from 'nestjs-rocketmq';
import { Chance } from './platform/chance.js';

/** Each kind of fault, and whether it may cost what it meets: an unknown outcome, a second delivery. */
export const FAULT_KINDS = {
  'slow link': 'harmful',
  'lossy link': 'harmful',
  'link down': 'harmful',
  'half-open connection': 'harmful',
  'cut connection': 'harmful',
  goaway: 'harmless',
  'refused streams': 'harmless',
  'lost answers': 'harmful',
  'paused process': 'harmful',
  'slow disk': 'harmful',
  'broker restart': 'harmful',
  'broker crash': 'harmful',
  'client crash': 'harmful',
  'rolling deploy': 'harmless',
  'clock step': 'harmless',
  'hostile settings': 'harmless',
} as const;
export type FaultKind = keyof typeof FAULT_KINDS;

/** A fault that is to come. What it hits is chosen by `pick` among what is there then. */
export interface Fault {
  readonly kind: FaultKind;
  readonly atMs: number;
  readonly durationMs: number;
  /** At least 0, below 1. */
  readonly pick: number;
  /** How much of it: below 1. */
  readonly strength: number;
}

/** What runs, and how it is used. */
export interface Plan {
  readonly seed: number;
  readonly instances: number;
  readonly latencyMs: number;
  readonly hasTwoAddresses: boolean;
  /** By how much HTTP/2 stream ids grow. */
  readonly idStep: number;
  readonly flush: 'sync' | 'async';
  readonly requestTimeoutMs: number;
  readonly leaseMs: number;
  readonly sendEveryMs: number;
  /** How often a send has little time. */
  readonly impatience: number;
  /** How often a handler fails. */
  readonly failures: number;
  readonly longestHandlerMs: number;
  readonly longestTransactionMs: number;
  readonly localTransactionTimeoutMs: number;
  readonly bodyBytes: number;
  readonly maxBufferedBytes: number;
  readonly parts: {
    readonly ordered: boolean;
    readonly simple: boolean;
    readonly transactions: boolean;
    /** Whether services are Nest applications. */
    readonly nest: boolean;
  };
  /** How long handlers of Nest applications may go on when it is closed. */
  readonly shutdownGraceMs: number;
  /** Faults and work end then. */
  readonly activeMs: number;
  /** By then all must have come to its end. */
  readonly settleMs: number;
  /** After that nothing may happen. */
  readonly idleMs: number;
  readonly faults: readonly Fault[];
}

export function planOf(seed: number): Plan {
  const chance = new Chance(Math.imul(seed, 0x9e3779b1) ^ 0x7f4a7c15);
  const activeMs = chance.between(1, 8) * MINUTE_MS;
  const nestChance = new Chance(Math.imul(seed, 0x85ebca6b) ^ 0x1b873593);
  const nest = nestChance.is(0.3);
  return {
    seed,
    instances: chance.whole(1, 3),
    latencyMs: chance.pick([0.2, 5, 40, 40]),
    hasTwoAddresses: chance.is(0.5),
    idStep: chance.is(0.3) ? 2 ** chance.whole(19, 22) : 2,
    flush: chance.is(0.8) ? 'sync' : 'async',
    requestTimeoutMs: chance.pick([1_000, 3_000, 3_000, 5_000]),
    leaseMs: chance.pick([10, 15, 30]) * SECOND_MS,
    sendEveryMs: chance.pick([200, 500, 1_000, 3_000]),
    impatience: chance.is(0.5) ? chance.between(0.05, 0.4) : 0,
    failures: chance.is(0.6) ? chance.between(0.01, 0.3) : 0,
    longestHandlerMs: chance.pick([20, 500, 5_000, 20_000]),
    longestTransactionMs: chance.pick([50, 2_000, 12_000]),
    localTransactionTimeoutMs: chance.pick([30, 60, 300]) * SECOND_MS,
    bodyBytes: chance.pick([16, 16, 2_000, 60_000]),
    maxBufferedBytes: chance.pick([64 * 1024, 256 * 1024, 8 * 1024 * 1024]),
    parts: { ordered: chance.is(0.7), simple: chance.is(0.5), transactions: chance.is(0.6), nest },
    shutdownGraceMs: nestChance.pick([0.2, 2, 10, 25]) * SECOND_MS,
    activeMs,
    settleMs: 30 * MINUTE_MS,
    idleMs: chance.between(10, 40) * MINUTE_MS,
    faults: [
      ...faultsOf(chance, activeMs),
      ...(nest && nestChance.is(0.7) ? deploysOf(nestChance, activeMs) : []),
    ].sort((one, other) => one.atMs - other.atMs),
  };
}

/** Each run has only some kinds of faults: all of them at once would hide what few of them do. */
function faultsOf(chance: Chance, activeMs: number): Fault[] {
  const all = Object.keys(FAULT_KINDS) as FaultKind[];
  // Where nothing may cost anything, whatever goes wrong is seen.
  const isGentle = chance.is(0.4);
  const possible = isGentle ? all.filter((kind) => FAULT_KINDS[kind] === 'harmless') : all;
  const kinds = chance.is(0.1) ? [] : chance.some(possible, isGentle ? 0.6 : chance.pick([0.1, 0.25, 0.5]));
  const faults: Fault[] = [];
  for (const kind of kinds) {
    const everyMs = chance.between(isGentle ? 3 : 10, isGentle ? 30 : 120) * SECOND_MS;
    for (let atMs = chance.next() * everyMs; atMs < activeMs; atMs += chance.between(0.3, 1.7) * everyMs) {
      const durationMs = Math.min(chance.pick([0.3, 2, 8, 40]) * SECOND_MS * chance.between(0.5, 1.5), activeMs - atMs);
      faults.push({
        kind,
        atMs: Math.round(atMs),
        durationMs: Math.round(durationMs),
        pick: chance.next(),
        strength: chance.next(),
      });
    }
  }
  return faults;
}

/** What the Nest layer is for shows when an application ends. */
function deploysOf(chance: Chance, activeMs: number): Fault[] {
  const faults: Fault[] = [];
  for (let atMs = chance.between(10, 60) * SECOND_MS; atMs < activeMs; atMs += chance.between(30, 120) * SECOND_MS) {
    faults.push({ kind: 'rolling deploy', atMs: Math.round(atMs), durationMs: SECOND_MS, pick: 0, strength: 0 });
  }
  return faults;
}
