// Judges the facts of a run. Pure: facts in, violations and figures out.

import type { Fact } from './facts.js';
import { type Reason, Reasons } from './reasons.js';
import { type Run, runsOf } from './runs.js';
import { type SendFigures, Sends } from './sends.js';

export interface Figures extends SendFigures {
  readonly handled: number;
  readonly failed: number;
  /** Messages that were handled to their end more than once, by reason. */
  readonly repeated: ReadonlyMap<Reason, number>;
  /** Handlers that began while another process had their message or message group, by reason. */
  readonly overlapping: ReadonlyMap<Reason, number>;
}

export interface Verdict {
  readonly violations: readonly string[];
  readonly figures: Figures;
}

export function verdictFrom(facts: readonly Fact[]): Verdict {
  const violations: string[] = [];
  const sends = new Sends(facts);
  const faults = facts.filter((fact) => fact.kind === 'fault');
  const repeated = new Map<Reason, number>();
  const overlapping = new Map<Reason, number>();
  let handled = 0;
  let failed = 0;
  for (const kind of ['ordered', 'plain'] as const) {
    const runs = runsOf(facts, kind);
    const ended = runs.filter(({ end }) => end === 'handled');
    handled += ended.length;
    failed += runs.filter(({ end }) => end === 'failed').length;
    const reasons = new Reasons(facts, faults, sends, runs);
    violations.push(...sends.lost(kind, new Set(ended.map(({ id }) => id))), ...sends.unsent(runs));
    if (kind === 'ordered') violations.push(...outOfOrder(runs), ...together(runs, reasons, overlapping));
    violations.push(...repetitions(ended, reasons, repeated));
  }
  return { violations, figures: { ...sends.figures, handled, failed, repeated, overlapping } };
}

/** The ids of a message group end with their number. */
export function groupOf(id: string): { readonly group: string; readonly number: number } {
  const at = id.lastIndexOf('.');
  return { group: id.slice(0, at), number: Number(id.slice(at + 1)) };
}

/** In each message group, first completions are in the order of the numbers, and no handler begins before earlier messages are handled. */
function outOfOrder(runs: readonly Run[]): string[] {
  const violations: string[] = [];
  const firstEnds = new Map<string, number>();
  for (const run of [...runs].filter(({ end }) => end === 'handled').sort((a, b) => a.endsAtMs - b.endsAtMs)) {
    if (!firstEnds.has(run.id)) firstEnds.set(run.id, run.endsAtMs);
  }
  const latest = new Map<string, number>();
  for (const id of firstEnds.keys()) {
    const { group, number } = groupOf(id);
    const before = latest.get(group) ?? 0;
    if (number < before) violations.push(`${id} was first handled after ${group}.${before}`);
    else latest.set(group, number);
  }
  for (const { id, atMs } of runs) {
    const { group, number } = groupOf(id);
    if (number === 1) continue;
    const previous = firstEnds.get(`${group}.${number - 1}`);
    if (previous === undefined || previous > atMs)
      violations.push(`${id} began before ${group}.${number - 1} was handled`);
  }
  return violations;
}

/** Handlers of a message group that run at the same time. */
function together(runs: readonly Run[], reasons: Reasons, counts: Map<Reason, number>): string[] {
  const violations: string[] = [];
  const running = new Map<string, Run[]>();
  for (const run of runs) {
    const { group } = groupOf(run.id);
    const others = (running.get(group) ?? []).filter(({ endsAtMs }) => endsAtMs > run.atMs);
    running.set(group, [...others, run]);
    for (const other of others) {
      const reason = reasons.whyBeside(other, run);
      if (reason === undefined)
        violations.push(`${run.id} began in ${run.by} while ${other.id} was handled in ${other.by}`);
      else count(counts, reason);
    }
  }
  return violations;
}

/** Messages that were handled more than once. @param ended runs that were handled to their end */
function repetitions(ended: readonly Run[], reasons: Reasons, counts: Map<Reason, number>): string[] {
  const violations: string[] = [];
  const before = new Map<string, Run[]>();
  for (const run of ended) {
    const earlier = before.get(run.id) ?? [];
    before.set(run.id, [...earlier, run]);
    if (earlier.length === 0) continue;
    const reason = reasons.reasonOfRepetition(earlier, run);
    if (reason !== undefined) {
      count(counts, reason);
      continue;
    }
    const [first] = earlier as [Run];
    const times = `${first.by} attempt ${first.attempt}, then ${run.by} attempt ${run.attempt}, ${Math.round(run.atMs - first.endsAtMs)} ms later`;
    violations.push(`${run.id} was handled again without a reason: ${times}`);
  }
  return violations;
}

function count(counts: Map<Reason, number>, reason: Reason): void {
  counts.set(reason, (counts.get(reason) ?? 0) + 1);
}
