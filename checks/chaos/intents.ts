// The intents of customers, derived from the seed.

import { below, type Chance, oneOf, seededRandom } from '../../tools/random.js';

/** What a customer does with an order once it is placed. */
export type Plan =
  | 'pay'
  /** At the time of its time-out. */
  | 'pay-late'
  /** Twice concurrently. */
  | 'pay-twice'
  | 'pay-and-cancel'
  | 'cancel'
  /** Without waiting for the stock. */
  | 'cancel-at-once'
  /** Nothing: it times out. */
  | 'leave';

/** One order of a customer. */
export interface Intent {
  readonly sku: string;
  readonly quantity: number;
  readonly plan: Plan;
  /** Pauses before the action, and before the next order. */
  readonly pauseMs: number;
}

/** A product with far more stock than a run can sell. */
export const PLENTY = ['book', 'lamp'] as const;
/** A product with little stock, so that late orders are rejected. */
export const SCARCE = 'chair';
/** The maximum quantity of an order, more than the stock of {@link SCARCE}. */
const TOO_MANY = 1_000;
const MAX_PIECES = 3;
const PAUSE_MS = { least: 100, most: 400 };

const PLANS: readonly (readonly [Plan, number])[] = [
  ['pay', 0.25],
  ['pay-late', 0.12],
  ['pay-twice', 0.08],
  ['pay-and-cancel', 0.12],
  ['cancel', 0.1],
  ['cancel-at-once', 0.1],
  ['leave', 0.23],
];

/** The endless intents of one customer, reproducible by the seed. */
export function* intentsOf(seed: number, customer: number): Generator<Intent, never> {
  const chance = seededRandom(seed * 1_000 + customer);
  for (;;) yield intent(chance);
}

function intent(chance: Chance): Intent {
  const kind = chance();
  const plan = planBy(chance());
  const pauseMs = PAUSE_MS.least + below(chance, PAUSE_MS.most - PAUSE_MS.least);
  if (kind < 0.14) return { sku: SCARCE, quantity: TOO_MANY, plan: 'pay', pauseMs };
  if (kind < 0.2) return { sku: SCARCE, quantity: 1, plan, pauseMs };
  return { sku: oneOf(chance, PLENTY), quantity: 1 + below(chance, MAX_PIECES), plan, pauseMs };
}

function planBy(share: number): Plan {
  let left = share;
  for (const [plan, part] of PLANS) {
    if (left < part) return plan;
    left -= part;
  }
  return 'leave';
}
