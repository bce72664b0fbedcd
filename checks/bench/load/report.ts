// The report of a run: tables for the terminal, and everything as JSON.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { machine } from '../lib/machine.js';
import type { Share } from '../lib/profile.js';
import { median } from '../lib/statistics.mjs';
import { table } from '../lib/table.js';
import { PARTS } from './parts.js';
import type { LoadPlan, Setup } from './plan.js';
import type { SetupResult, Tried } from './setup-run.js';

interface Group {
  name: string;
  results: readonly SetupResult[];
}

export type Run = Setup & { round: number; label: string; result?: SetupResult; error?: string };

interface Outcome {
  date: string;
  machine: ReturnType<typeof machine>;
  database: string;
  plan: LoadPlan;
  runs: readonly Run[];
}

/** In the order in which one reads them. */
const PROCESSES = ['order-demo', 'inventory-demo', 'broker', 'database', 'generator'];

/** What a machine does that has nothing to do. */
const QUIET_CORES = 0.2;
const NOT_QUIET = 'Orders a second and times are those of a busy machine; CPU times are a guide.';

/** @returns in Markdown, which reads well on a terminal, too */
export function reportText(outcome: Outcome): string {
  const { plan, runs } = outcome;
  const good = runs.flatMap(({ result, ...run }) => (result === undefined ? [] : [{ ...run, result }]));
  const rows = groupsOf(plan, good);
  const parts = [aboutText(outcome)];
  if (good.length > 0) {
    parts.push(
      `Sustained: 99 of 100 orders done within ${plan.limitMs} ms\n\n${sustainedTable(rows)}`,
      `At ${plan.rate} orders a second, from POST to reserved\n\n${comparedTable(rows)}`,
      `CPU ms of an order, at ${plan.rate} a second and at the highest rate\n\n${costTable(rows)}`,
    );
    const profiled = profileTable(rows);
    if (profiled !== undefined) {
      parts.push(`CPU of the demos by part, in percent, at ${plan.rate} a second under the profiler\n\n${profiled}`);
    }
  }
  const others = Math.max(0, ...good.flatMap(({ result }) => othersIn(result)));
  if (others > QUIET_CORES)
    parts.push(`NOT QUIET: other processes took up to ${others.toFixed(1)} cores. ${NOT_QUIET}`);
  const problems = problemsIn(runs);
  if (problems.length > 0) parts.push(`WRONG\n\n${problems.map((line) => `- ${line}`).join('\n')}`);
  return parts.join('\n\n');
}

/** Of the tries that are shown. */
function othersIn({ compared, best }: SetupResult): number[] {
  return [compared, ...(best === undefined ? [] : [best])].map(({ otherCores }) => otherCores);
}

/** What makes a run fail: what was lost, and what broke. */
export function problemsIn(runs: readonly Run[]): string[] {
  return runs.flatMap(({ label, instances, round, result, error }) => {
    const where = `${label}, ${instances} inventory-demo, round ${round + 1}`;
    // What follows is the end of a process's output, printed when it failed, and in the JSON.
    const broken = error?.split('\n')[0];
    return [...(broken === undefined ? [] : [broken]), ...(result?.violations ?? [])].map(
      (what) => `${where}: ${what}`,
    );
  });
}

function aboutText({ date, machine, database, plan }: Outcome): string {
  const { cpu, cores, memoryGiB, system, node, java } = machine;
  const { rounds, seconds, products, clients } = plan;
  return [
    `${date}. ${cpu}, ${cores} cores that all processes and the generator share, ${memoryGiB} GiB; ${system}; Node.js ${node}; ${java}; ${database}.`,
    `${rounds === 1 ? 'One round' : `Medians of ${rounds} rounds, with the least and the most`}; ${seconds} s each rate; ${products} products; at most ${clients} requests at a time. Times in ms.`,
    ...plan.notes.map((note) => `Measured ${note}.`),
  ].join('\n');
}

/** The runs of each setup, in the order of the plan. */
function groupsOf({ setups }: LoadPlan, runs: readonly (Run & { result: SetupResult })[]): Group[] {
  return setups
    .map(({ backend, instances }) => runs.filter((run) => run.backend === backend && run.instances === instances))
    .flatMap((group) => {
      const results = group.map(({ result }) => result);
      return group.slice(0, 1).map(({ label, instances }) => ({ name: `${label}, ${instances}`, results }));
    });
}

function sustainedTable(rows: readonly Group[]): string {
  const head = ['broker, inventory-demo', 'orders/s', 'POST p50', 'p99', 'reserved p50', 'p90', 'p99', 'max'];
  return table(
    head,
    rows.map(({ name, results }) => {
      const best = results.flatMap((one) => (one.best === undefined ? [] : [one.best]));
      // Where no higher rate was tried, it may sustain more.
      const least = results.some(({ isHighest }) => !isHighest) ? '≥ ' : '';
      if (best.length === 0) return [name, 'none tried'];
      return [name, `${least}${cell(best.map(({ rate }) => rate))}`, ...latencies(best)];
    }),
  );
}

function comparedTable(rows: readonly Group[]): string {
  const head = ['broker, inventory-demo', 'POST p50', 'p99', 'reserved p50', 'p90', 'p99', 'max', 'sustained'];
  return table(
    head,
    rows.map(({ name, results }) => {
      const compared = results.map((one) => one.compared);
      return [name, ...latencies(compared), compared.every(({ isSustained }) => isSustained) ? 'yes' : 'no'];
    }),
  );
}

function latencies(tries: readonly Tried[]): string[] {
  const of = (pick: (one: Tried) => number) => cell(tries.map(pick));
  return [
    of(({ postMs }) => postMs.p50),
    of(({ postMs }) => postMs.p99),
    of(({ reservedMs }) => reservedMs.p50),
    of(({ reservedMs }) => reservedMs.p90),
    of(({ reservedMs }) => reservedMs.p99),
    of(({ reservedMs }) => reservedMs.max),
  ];
}

function costTable(rows: readonly Group[]): string {
  const measured = PROCESSES.filter((name) =>
    rows.some(({ results }) => results.slice(0, 1).some(({ compared }) => name in compared.millisPerOrder)),
  );
  const cost = (tries: readonly Tried[], name: string) =>
    tries.map(({ millisPerOrder }) => millisPerOrder[name]).filter((one) => one !== undefined);
  return table(
    ['broker, inventory-demo', ...measured, 'busiest at the highest rate'],
    rows.map(({ name, results }) => {
      const best = results.flatMap((one) => (one.best === undefined ? [] : [one.best]));
      const cells = measured.map((one) => {
        const compared = results.map((result) => result.compared);
        return [cost(compared, one), cost(best, one)]
          .map((values) => (values.length === 0 ? '-' : median(values).toFixed(1)))
          .join(' / ');
      });
      return [name, ...cells, busiestOf(best)];
    }),
  );
}

/** @returns undefined when nothing was profiled */
function profileTable(rows: readonly Group[]): string | undefined {
  const lines = rows.flatMap(({ name, results }) => {
    const profiles = results.flatMap((result) => (result.profiles === undefined ? [] : [result.profiles]));
    return Object.keys(profiles[0] ?? {}).map((demo) => {
      const shareOf = (part: string) => median(profiles.map((one) => percentOf(one[demo] ?? [], part)));
      return [`${name}: ${demo}`, ...PARTS.map((part) => shareOf(part).toFixed(0))];
    });
  });
  return lines.length === 0 ? undefined : table(['broker, inventory-demo', ...PARTS], lines);
}

/** A part that begins with another one's name belongs to it, too. */
function percentOf(shares: readonly Share[], part: string): number {
  const own = shares.filter(({ place }) => place === part || place.startsWith(`${part}: `));
  return own.reduce((sum, { percent }) => sum + percent, 0);
}

function busiestOf(tries: readonly Tried[]): string {
  const names = Object.keys(tries[0]?.cores ?? {});
  const cores = names.map((name) => ({ name, cores: median(tries.map((one) => one.cores[name] ?? 0)) }));
  const [busiest] = cores.sort((one, other) => other.cores - one.cores);
  return busiest === undefined ? '-' : `${busiest.name}, ${busiest.cores.toFixed(2)} cores`;
}

/** @param values of the rounds */
function cell(values: readonly number[]): string {
  const write = (value: number) => value.toFixed(0);
  if (values.length === 1) return write(median(values));
  return `${write(median(values))} (${write(Math.min(...values))}-${write(Math.max(...values))})`;
}

/** @returns the file */
export function writeJson(folder: string, outcome: Outcome): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'load.json');
  writeFileSync(file, `${JSON.stringify({ ...outcome, problems: problemsIn(outcome.runs) }, undefined, 2)}\n`);
  return file;
}
