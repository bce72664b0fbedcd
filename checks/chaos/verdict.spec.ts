import { describe, expect, it } from '@jest/globals';
import type { Entry, OrderEntry, OrderFact, Status } from './facts.js';
import type { InjectedFaults } from './fault-injection.js';
import { FAULT_KINDS, type FaultKind, type PlannedFault } from './fault-plan.js';
import { MIN_ENDS, MIN_FAULTS } from './required-counts.js';
import { duplicates, type Judged, recoveryTable, runViolations, summary } from './verdict.js';

const fault = (kind: FaultKind): PlannedFault =>
  ({
    kind,
    target: 'order-demo',
    afterMs: 0,
    lengthMs: 1,
    lost: 'everything',
    delayMs: 1,
    towards: 'app',
  }) as PlannedFault;
const faultsOf = (kinds: readonly FaultKind[], recoveryMs: number | undefined): InjectedFaults => {
  return { faults: kinds.map(fault), recoveryMs, readyMs: 0 };
};
const enough: InjectedFaults[] = FAULT_KINDS.flatMap((kind) =>
  Array.from({ length: MIN_FAULTS }, () => faultsOf([kind], 1_000)),
);
const entry = (orderId: string, what: string, attempt = 1): Entry => {
  return { id: 0, orderId, atMs: 0, what, messageId: 'm', attempt };
};
const nothing = {
  totals: new Map(),
  stock: [],
  orders: [],
  orderHistory: [],
  reservations: [],
  stockHistory: [],
  calls: [],
};
const judged = (more: Partial<Judged>): Judged => {
  return { injected: enough, facts: nothing, open: [], lost: [], rounds: 1, ...more };
};
const orders = Object.entries(MIN_ENDS).flatMap(([status, least]) =>
  Array.from({ length: least }, (_, index): OrderFact => {
    return { id: `${status}-${index}`, sku: 'book', quantity: 1, status: status as Status, expiresAtMs: 0 };
  }),
);

describe('a run', () => {
  it.each<[string, Partial<Judged>, string]>([
    ['whose process ended by itself', { lost: ['order-demo: SIGSEGV'] }, 'ended by itself: order-demo: SIGSEGV'],
    ['that did not settle', { open: ['order a is PENDING_STOCK'] }, 'not at its end in time: order a is PENDING_STOCK'],
    [
      'whose traffic did not come back',
      { injected: [...enough, faultsOf(['kill', 'drop'], undefined)] },
      'no order was reserved within 60 s after kill order-demo and drop order-demo',
    ],
    [
      'with too few faults of a kind',
      { injected: enough.slice(1) },
      `only ${MIN_FAULTS - 1} faults of kind "kill", at least ${MIN_FAULTS} are wanted`,
    ],
    ['with too few for its length', { rounds: 2 }, 'only 2 faults of kind "reset", at least 4 are wanted'],
    ['with too few orders of an end', {}, 'only 0 orders PAID, at least 8 are wanted'],
    ['whose history is wrong', { facts: { ...nothing, orders } }, 'order PAID-0: was never created'],
  ])('%s is not sound', (_what, more, violation) => {
    expect(runViolations(judged(more))).toContain(violation);
  });

  it('that achieves every minimum has no violation of them', () => {
    const found = runViolations(judged({ facts: { ...nothing, orders } }));
    expect(found.filter((violation) => violation.startsWith('only'))).toEqual([]);
  });
});

describe('the report', () => {
  it('lists recoveries by kind, and of two faults at once together', () => {
    const injected = [
      faultsOf(['kill'], 1_000),
      faultsOf(['kill'], 6_000),
      faultsOf(['kill', 'drop'], 3_000),
      faultsOf(['drop'], undefined),
    ];
    expect(recoveryTable(injected)).toEqual([
      'kill           2 x  p50 1.0 s  max 6.0 s  1 over 5 s',
      'drop           1 x  p50 -  max -  1 over 5 s',
      'two at once    1 x  p50 3.0 s  max 3.0 s  0 over 5 s',
    ]);
  });

  it('counts what was redelivered', () => {
    const created = 'order-created received';
    const history = [created, created, 'canceled: not paid in time', 'time-out came too late'];
    const orderHistory = history.map((what): OrderEntry => ({ ...entry('a', what), status: 'CANCELED' }));
    const stockHistory = [entry('a', 'reserved'), entry('a', 'redelivered: nothing to reserve', 2)];
    const facts = { ...nothing, orderHistory, stockHistory };
    expect(duplicates(facts)).toEqual({ order: 2, stock: 1 });
    expect(summary(judged({ facts, injected: [faultsOf(['kill', 'drop'], 2_000)] }))).toBe(
      '2 faults, 0 orders (0 PAID, 0 CANCELED, 0 REJECTED), traffic back after p50 2.0 s, max 2.0 s, 3 duplicates absorbed',
    );
  });
});
