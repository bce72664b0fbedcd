// The report of a run: faults, recoveries, harmless duplicates and violations.

import { chaosViolations } from './checker.js';
import type { ChaosFacts, Entry, OrderEntry } from './facts.js';
import { type InjectedFaults, RECOVERY_DEADLINE_MS } from './fault-injection.js';
import { FAULT_KINDS, type FaultKind } from './fault-plan.js';
import { MIN_ENDS, MIN_FAULTS, tooFewEnds } from './required-counts.js';
import type { RunResult } from './run.js';

/** The goal for the time until traffic flows again after a fault: a goal that is reported and fails nothing, because machines differ. */
export const RECOVERY_GOAL_MS = 5_000;

/** The judged facts of a run. */
export type Judged = Pick<RunResult, 'injected' | 'facts' | 'open' | 'lost'> & { readonly rounds: number };

/** The violations; empty for a sound run. */
export function runViolations({ injected, facts, open, lost, rounds }: Judged): string[] {
  return [
    ...lost.map((how) => `ended by itself: ${how}`),
    ...injected.filter(({ recoveryMs }) => recoveryMs === undefined).map(unrecovered),
    ...open.map((what) => `not at its end in time: ${what}`),
    ...chaosViolations(facts),
    ...shortfalls(injected, facts, rounds),
  ];
}

function unrecovered({ faults }: InjectedFaults): string {
  const names = faults.map(({ kind, target }) => `${kind} ${target}`).join(' and ');
  return `no order was reserved within ${RECOVERY_DEADLINE_MS / 1_000} s after ${names}`;
}

function shortfalls(injected: readonly InjectedFaults[], { orders }: ChaosFacts, rounds: number): string[] {
  const fired = injected.flatMap(({ faults }) => faults);
  const least = MIN_FAULTS * rounds;
  const ofFaults = FAULT_KINDS.map((kind) => {
    return { what: `faults of kind "${kind}"`, count: fired.filter((fault) => fault.kind === kind).length, least };
  }).filter(({ count }) => count < least);
  const ends = orders.map(({ status }) => status);
  const ofEnds = tooFewEnds(ends, rounds).map(({ status, ...few }) => ({ what: `orders ${status}`, ...few }));
  return [...ofFaults, ...ofEnds].map(({ what, count, least: wanted }) => {
    return `only ${count} ${what}, at least ${wanted} are wanted`;
  });
}

/** The recovery times, by kind of fault; two at once are counted together. */
export function recoveryTable(injected: readonly InjectedFaults[]): string[] {
  const rows: (FaultKind | 'two at once')[] = [...FAULT_KINDS, 'two at once'];
  return rows.flatMap((row) => {
    const ofRow = injected.filter(({ faults }) => (faults.length > 1 ? 'two at once' : faults[0]?.kind) === row);
    if (ofRow.length === 0) return [];
    const times = recoveries(ofRow);
    const late = ofRow.length - times.filter((ms) => ms <= RECOVERY_GOAL_MS).length;
    const columns = [`${row.padEnd(12)} ${String(ofRow.length).padStart(3)} x`, `p50 ${seconds(middle(times))}`];
    return `${[...columns, `max ${seconds(times.at(-1))}`, `${late} over ${RECOVERY_GOAL_MS / 1_000} s`].join('  ')}`;
  });
}

/** Deliveries of messages that were already handled, which had no effect. */
export function duplicates({ orderHistory, stockHistory }: ChaosFacts): {
  readonly order: number;
  readonly stock: number;
} {
  const repeats = (entries: readonly Entry[], what: RegExp): number => {
    const hits = entries.filter((entry) => what.test(entry.what));
    return hits.length - new Set(hits.map(({ orderId }) => orderId)).size;
  };
  const stock = stockHistory.filter(({ what }) => what.startsWith('redelivered')).length;
  return {
    stock,
    order: repeats(orderHistory, /^order-created received$/) + repeats(timeOuts(orderHistory), /./),
  };
}

function timeOuts(history: readonly OrderEntry[]): readonly OrderEntry[] {
  return history.filter(({ what }) => what === 'canceled: not paid in time' || what === 'time-out came too late');
}

/** The last line, without the verdict. */
export function summary({ injected, facts }: Judged): string {
  const times = recoveries(injected);
  const faults = injected.flatMap(({ faults }) => faults).length;
  const ends = Object.keys(MIN_ENDS).map((status) => {
    return `${facts.orders.filter((order) => order.status === status).length} ${status}`;
  });
  const { order, stock } = duplicates(facts);
  return [
    `${faults} faults`,
    `${facts.orders.length} orders (${ends.join(', ')})`,
    `traffic back after p50 ${seconds(middle(times))}, max ${seconds(times.at(-1))}`,
    `${order + stock} duplicates absorbed`,
  ].join(', ');
}

function recoveries(injected: readonly InjectedFaults[]): number[] {
  return injected.flatMap(({ recoveryMs }) => recoveryMs ?? []).sort((one, other) => one - other);
}

function middle(sorted: readonly number[]): number | undefined {
  return sorted[Math.floor((sorted.length - 1) / 2)];
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? '-' : `${(ms / 1_000).toFixed(1)} s`;
}
