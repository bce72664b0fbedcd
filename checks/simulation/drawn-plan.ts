// Draws the plan of a seed.

import { MINUTE_MS, SECOND_MS } from 'nestjs-rocketmq';
import { FOCUSES, type Focus, MAX_STEP_MS } from './focuses.js';
import { FAULT_KINDS, type Fault, type FaultKind, LAYOUTS, type Plan } from './plan.js';
import { Chance } from './platform/chance.js';

/** The number of seeds without a focus, in each cycle through the focuses. */
const FREE = 4;

export function planOf(seed: number): Plan {
  const chance = new Chance(Math.imul(seed, 0x9e3779b1) ^ 0x7f4a7c15);
  const plan = drawnPlan(chance, seed);
  // Alternating, so that consecutive seeds have each of them.
  const focus = FOCUSES[seed % (FOCUSES.length + FREE)];
  return focus === undefined ? plan : focused(plan, focus, chance);
}

/** Any combination. */
function drawnPlan(chance: Chance, seed: number): Plan {
  const activeMs = chance.between(1, 8) * MINUTE_MS;
  const nest = chance.is(0.3);
  const longestHandlerMs = chance.pick([20, 500, 5_000, 20_000]);
  const withoutProxy = chance.is(0.4);
  const isWide = withoutProxy && !nest && chance.is(0.4);
  return {
    seed,
    instances: chance.whole(1, 3),
    latencyMs: chance.pick([0.2, 5, 40, 40]),
    hasTwoAddresses: chance.is(0.5),
    withoutProxy,
    otherBroker: isWide ? 'same topics' : 'none',
    layout: isWide ? chance.pick(LAYOUTS) : 'seen',
    idStep: chance.is(0.3) ? 2 ** chance.whole(19, 22) : 2,
    flush: chance.is(0.8) ? 'sync' : 'async',
    requestTimeoutMs: chance.pick([1_000, 3_000, 3_000, 5_000]),
    invisibleDurationMs: chance.pick([10, 15, 30]) * SECOND_MS,
    sendEveryMs: chance.pick([200, 500, 1_000, 3_000]),
    impatience: chance.is(0.5) ? chance.between(0.05, 0.4) : 0,
    failures: chance.is(0.6) ? chance.between(0.01, 0.3) : 0,
    longestHandlerMs,
    longestStepMs: Math.min(longestHandlerMs, MAX_STEP_MS),
    longestTransactionMs: chance.pick([50, 2_000, 12_000]),
    localTransactionTimeoutMs: chance.pick([30, 60, 300]) * SECOND_MS,
    bodyBytes: chance.pick([16, 16, 2_000, 60_000]),
    maxBufferedBytes: chance.pick([64 * 1024, 256 * 1024, 8 * 1024 * 1024]),
    parts: {
      ordered: chance.is(0.7),
      simple: chance.is(0.5),
      transactions: chance.is(0.6),
      nest,
      foreign: !nest && chance.is(0.3),
    },
    shutdownGraceMs: chance.pick([0.2, 2, 10, 25]) * SECOND_MS,
    activeMs,
    settleMs: 30 * MINUTE_MS,
    idleMs: chance.between(10, 40) * MINUTE_MS,
    faults: inOrder([
      ...drawnFaults(chance, activeMs),
      ...(nest && chance.is(0.7) ? faultsOf(chance, 'rolling deploy', [30, 120], activeMs) : []),
    ]),
    pulls: withoutProxy && !nest && chance.is(0.4),
  };
}

/** Each run has only some kinds of faults, because all together would hide the effects of few. */
function drawnFaults(chance: Chance, activeMs: number): Fault[] {
  const all = Object.keys(FAULT_KINDS) as FaultKind[];
  // With harmless faults only, every failure is a violation.
  const isGentle = chance.is(0.4);
  const possible = isGentle ? all.filter((kind) => FAULT_KINDS[kind] === 'harmless') : all;
  const kinds = chance.is(0.1) ? [] : chance.some(possible, isGentle ? 0.6 : chance.pick([0.1, 0.25, 0.5]));
  return kinds.flatMap((kind) => {
    const everyS = chance.between(isGentle ? 3 : 10, isGentle ? 30 : 120);
    return faultsOf(chance, kind, [0.3 * everyS, 1.7 * everyS], activeMs);
  });
}

/** @param everyS the minimum and maximum seconds between two faults */
function faultsOf(
  chance: Chance,
  kind: FaultKind,
  everyS: readonly [number, number],
  activeMs: number,
  lastingS?: readonly [number, number],
): Fault[] {
  const faults: Fault[] = [];
  const pauseMs = (): number => chance.between(...everyS) * SECOND_MS;
  for (let atMs = chance.next() * pauseMs(); atMs < activeMs; atMs += pauseMs()) {
    const lastsS = lastingS ? chance.between(...lastingS) : chance.pick([0.3, 2, 8, 40]) * chance.between(0.5, 1.5);
    const durationMs = Math.min(lastsS * SECOND_MS, activeMs - atMs);
    faults.push({
      kind,
      atMs: Math.round(atMs),
      durationMs: Math.round(durationMs),
      pick: chance.next(),
      strength: chance.next(),
    });
  }
  return faults;
}

function inOrder(faults: readonly Fault[]): Fault[] {
  return [...faults].sort((one, other) => one.atMs - other.atMs);
}

function focused(plan: Plan, { ways, faults, lastingS }: Focus, chance: Chance): Plan {
  const activeMs = chance.between(1, 2) * MINUTE_MS;
  const times = Object.entries(faults) as [FaultKind, readonly [number, number]][];
  const focus: Plan = {
    ...plan,
    withoutProxy: false,
    pulls: false,
    otherBroker: 'none',
    layout: 'seen',
    idStep: 2,
    flush: 'sync',
    localTransactionTimeoutMs: chance.pick([30, 60]) * SECOND_MS,
    ...ways(chance),
    activeMs,
    settleMs: 15 * MINUTE_MS,
    idleMs: 2 * MINUTE_MS,
    faults: inOrder(times.flatMap(([kind, everyS]) => faultsOf(chance, kind, everyS, activeMs, lastingS))),
  };
  // As in other plans: what a Nest application promises at a handover is not judged for groups that pull.
  return { ...focus, pulls: focus.pulls && focus.withoutProxy && !focus.parts.nest };
}
