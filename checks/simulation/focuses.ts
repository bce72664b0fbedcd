// Combinations that are rare in random plans and that reveal certain kinds of bugs.

import { SECOND_MS } from 'nestjs-rocketmq';
import type { FaultKind, Plan } from './plan.js';
import type { Chance } from './platform/chance.js';

/** Short enough that what is sent to ordered groups in the active time is handled in the rest. */
export const MAX_STEP_MS = 3_000;

export interface Focus {
  readonly ways: (chance: Chance) => Partial<Plan>;
  /** Faults, nearly all harmless, which excuse no failure, with the minimum and maximum seconds between two of them. */
  readonly faults: Partial<Record<FaultKind, readonly [number, number]>>;
  /** The minimum and maximum seconds that a fault lasts. Default: any. */
  readonly lastingS?: readonly [number, number];
}

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

export const FOCUSES: readonly Focus[] = [
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
