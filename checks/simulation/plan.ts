// The plan of a seed: the system, its work and its faults. Plain data, so that it can be shrunk.

import { MINUTE_MS, SECOND_MS } from 'nestjs-rocketmq';
import { Chance } from './platform/chance.js';

/** Each kind of fault, and whether it may cause unknown outcomes or redeliveries. */
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
  'lost registration': 'harmless',
  'paused group': 'harmless',
} as const;
export type FaultKind = keyof typeof FAULT_KINDS;

/** A planned fault. `pick` selects its target among those that exist at that time. */
export interface Fault {
  readonly kind: FaultKind;
  readonly atMs: number;
  readonly durationMs: number;
  /** At least 0, below 1. */
  readonly pick: number;
  /** Its strength, at least 0 and below 1. */
  readonly strength: number;
}

/** The system and its load. */
export interface Plan {
  readonly seed: number;
  readonly instances: number;
  readonly latencyMs: number;
  readonly hasTwoAddresses: boolean;
  /** Whether clients reach the broker by its name server. */
  readonly withoutProxy: boolean;
  /** Whether the brokers are of 4.x, from which consumers pull. Only without a proxy and Nest. */
  readonly pulls: boolean;
  /**
   * Whether there is a second broker: one whose groups have other settings, and which has no messages; or one like the first, with a share of the
   * messages. Only without a proxy and Nest.
   */
  readonly otherBroker: 'none' | 'other settings' | 'same topics';
  /**
   * How producers know what message groups are spread over: from routes, from their options, which needs two brokers with the same topics, or from the
   * name server. A process that knows it from routes begins while all brokers are there.
   */
  readonly layout: (typeof LAYOUTS)[number];
  /** The step between HTTP/2 stream ids. */
  readonly idStep: number;
  readonly flush: 'sync' | 'async';
  readonly requestTimeoutMs: number;
  readonly invisibleDurationMs: number;
  readonly sendEveryMs: number;
  /** The probability of a send with a short timeout. */
  readonly impatience: number;
  /** The probability that a handler fails. */
  readonly failures: number;
  readonly longestHandlerMs: number;
  /** The maximum duration of handlers of ordered groups, which wait for each other. */
  readonly longestStepMs: number;
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
    /** Whether another client stores messages with labels that no send of this library accepts. Not with Nest. */
    readonly foreign: boolean;
  };
  /** The grace period of handlers when a Nest application is closed. */
  readonly shutdownGraceMs: number;
  /** When faults and work end. */
  readonly activeMs: number;
  /** The time in which everything settles, unless more was sent than could be handled. */
  readonly settleMs: number;
  /** After this, nothing may happen. */
  readonly idleMs: number;
  readonly faults: readonly Fault[];
}

export function planOf(seed: number): Plan {
  const chance = new Chance(Math.imul(seed, 0x9e3779b1) ^ 0x7f4a7c15);
  const plan = drawnPlan(chance, seed);
  // Alternating, so that consecutive seeds have each of them.
  const focus = FOCUSES[seed % (FOCUSES.length + FREE)];
  return focus === undefined ? plan : focused(plan, focus, chance);
}

const LAYOUTS = ['seen', 'declared', 'configured'] as const;
/** Short enough that what is sent to ordered groups in the active time is handled in the rest. */
const MAX_STEP_MS = 3_000;

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

/** Combinations that are rare in random plans and that reveal certain kinds of bugs. */
interface Focus {
  readonly ways: (chance: Chance) => Partial<Plan>;
  /** Faults, nearly all harmless, which excuse no failure, with the minimum and maximum seconds between two of them. */
  readonly faults: Partial<Record<FaultKind, readonly [number, number]>>;
  /** The minimum and maximum seconds that a fault lasts. Default: any. */
  readonly lastingS?: readonly [number, number];
}

/** The number of seeds without a focus, in each cycle through the focuses. */
const FREE = 4;

/** Routes that lose a broker and regain it, with message groups on both and more messages than are handled at once. */
const losesBroker: Focus['ways'] = (chance) => ({
  withoutProxy: true,
  otherBroker: 'same topics',
  sendEveryMs: 200,
  instances: chance.whole(2, 3),
  layout: 'seen',
  longestStepMs: MAX_STEP_MS,
  failures: 0,
  impatience: 0,
  parts: { nest: false, ordered: true, simple: false, transactions: false, foreign: false },
});

const FOCUSES: readonly Focus[] = [
  // More messages than are handled, and they are large when decompressed.
  {
    ways: (chance) => ({
      sendEveryMs: 400,
      longestHandlerMs: 20_000,
      bodyBytes: 60_000,
      maxBufferedBytes: 64 * 1024,
      instances: chance.whole(1, 2),
      latencyMs: 5,
      invisibleDurationMs: 30_000,
      impatience: 0,
      failures: 0,
      parts: { nest: false, ordered: false, simple: false, transactions: false, foreign: false },
    }),
    faults: {},
  },
  // Servers that stop while many calls are in progress.
  {
    ways: (chance) => ({
      sendEveryMs: 200,
      hasTwoAddresses: true,
      latencyMs: 40,
      instances: chance.whole(2, 3),
      impatience: 0,
      longestHandlerMs: 500,
    }),
    faults: { 'refused streams': [5, 20], goaway: [10, 40] },
  },
  // Calls with a timeout shorter than a new connection takes.
  {
    ways: (chance) => ({
      sendEveryMs: 200,
      latencyMs: 40,
      impatience: 0.4,
      hasTwoAddresses: chance.is(0.7),
      longestHandlerMs: 500,
    }),
    faults: { goaway: [5, 20] },
  },
  // Wrong clocks while handlers run.
  {
    ways: (chance) => ({
      sendEveryMs: 500,
      invisibleDurationMs: 10_000,
      longestHandlerMs: chance.pick([5_000, 20_000]),
    }),
    faults: { 'clock step': [3, 12] },
  },
  // Sessions that last for some hundred calls, with only one address.
  {
    ways: (chance) => ({
      sendEveryMs: 200,
      idStep: 2 ** chance.whole(22, 25),
      longestHandlerMs: 500,
      hasTwoAddresses: false,
    }),
    faults: { goaway: [20, 60] },
  },
  // Applications that are replaced while they work.
  {
    ways: (chance) => ({
      sendEveryMs: 500,
      longestHandlerMs: 20_000,
      longestStepMs: 5_000,
      instances: chance.whole(2, 3),
      shutdownGraceMs: chance.pick([0.2, 1, 5]) * SECOND_MS,
      parts: { nest: chance.is(0.8), ordered: true, simple: false, transactions: chance.is(0.5), foreign: false },
    }),
    faults: { 'rolling deploy': [8, 25] },
  },
  // Transactions that are checked while they run, and what another client stores.
  {
    ways: () => ({
      sendEveryMs: 500,
      instances: 3,
      longestTransactionMs: 12_000,
      localTransactionTimeoutMs: 30_000,
      parts: { nest: false, ordered: false, simple: false, transactions: true, foreign: true },
    }),
    faults: { 'rolling deploy': [60, 120] },
  },
  // Clusters without a proxy.
  {
    ways: (chance) => ({
      withoutProxy: true,
      sendEveryMs: 500,
      instances: chance.whole(2, 3),
      longestHandlerMs: chance.pick([500, 20_000]),
      longestTransactionMs: 12_000,
    }),
    faults: { 'rolling deploy': [20, 60], 'clock step': [10, 40] },
  },
  // Clusters whose brokers have different settings of a group.
  {
    ways: (chance) => ({
      withoutProxy: true,
      otherBroker: 'other settings',
      sendEveryMs: 200,
      instances: chance.whole(2, 3),
      longestHandlerMs: 500,
      longestStepMs: 500,
      failures: 0.3,
      impatience: 0,
      parts: { nest: false, ordered: true, simple: false, transactions: false, foreign: false },
    }),
    faults: { 'rolling deploy': [10, 30] },
  },
  { ways: losesBroker, faults: { 'lost registration': [5, 20], 'rolling deploy': [20, 60] } },
  // The same where the layout is known beforehand: processes start while a broker is missing.
  {
    ways: (chance) => ({ ...losesBroker(chance), layout: chance.pick(['declared', 'configured'] as const) }),
    faults: { 'lost registration': [10, 30], 'rolling deploy': [10, 30] },
  },
  // Consumers that divide the queues among themselves, and come and go.
  {
    ways: (chance) => ({
      withoutProxy: true,
      pulls: true,
      sendEveryMs: 300,
      instances: chance.whole(2, 3),
      longestHandlerMs: chance.pick([500, 5_000]),
      longestTransactionMs: 12_000,
      parts: { nest: false, ordered: true, simple: chance.is(0.5), transactions: true, foreign: chance.is(0.5) },
    }),
    faults: { 'rolling deploy': [10, 40] },
  },
  // The same where processes and brokers die.
  {
    ways: (chance) => ({
      withoutProxy: true,
      pulls: true,
      sendEveryMs: 300,
      instances: 3,
      longestHandlerMs: 500,
      otherBroker: chance.pick(['none', 'same topics'] as const),
      parts: { nest: false, ordered: true, simple: false, transactions: true, foreign: false },
    }),
    faults: { 'client crash': [15, 40], 'broker restart': [30, 60], 'paused process': [20, 40] },
  },
  // Groups that are paused for longer than any poll waits, some with more messages in hand than are handled until then.
  {
    ways: (chance) => ({
      withoutProxy: chance.is(0.6),
      pulls: chance.is(0.3),
      sendEveryMs: 200,
      instances: chance.whole(2, 3),
      ...(chance.is(0.5) && {
        longestHandlerMs: 20_000,
        parts: { nest: false, ordered: false, simple: false, transactions: false, foreign: false },
      }),
    }),
    faults: { 'paused group': [10, 40], 'rolling deploy': [30, 60] },
    lastingS: [35, 70],
  },
  // Brokers that lose what they had not written down, and was handled.
  {
    ways: (chance) => ({
      withoutProxy: true,
      pulls: true,
      flush: 'async',
      sendEveryMs: 200,
      instances: chance.whole(1, 3),
      longestHandlerMs: chance.pick([20, 500]),
      longestStepMs: 500,
      impatience: 0,
      parts: { nest: false, ordered: true, simple: false, transactions: false, foreign: false },
    }),
    faults: { 'broker crash': [5, 15], 'slow disk': [5, 15] },
    lastingS: [4, 12],
  },
  // Processes that stand still for longer than a lease while their polls are answered.
  {
    ways: () => ({
      sendEveryMs: 500,
      instances: 3,
      invisibleDurationMs: 10_000,
      longestHandlerMs: 500,
      impatience: 0,
      failures: 0,
      parts: { nest: false, ordered: false, simple: false, transactions: false, foreign: false },
    }),
    faults: { 'paused process': [8, 20] },
    lastingS: [14, 25],
  },
];

function focused(plan: Plan, { ways, faults, lastingS }: Focus, chance: Chance): Plan {
  const activeMs = chance.between(1, 2) * MINUTE_MS;
  const times = Object.entries(faults) as [FaultKind, readonly [number, number]][];
  return {
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
}
