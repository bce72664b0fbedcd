// The report of a run: tables for the terminal, and everything as JSON.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { median } from '../lib/statistics.mjs';
import { table } from '../lib/table.mjs';
import { PARTS } from './parts.mjs';

/**
 * @typedef {import('./setup-run.mjs').SetupResult} SetupResult
 * @typedef {import('./setup-run.mjs').Tried} Tried
 *
 * The results of one setup, over the rounds.
 * @typedef {{ name: string, results: readonly SetupResult[] }} Group
 *
 * @typedef {import('./plan.ts').Setup & { round: number, label: string, result?: SetupResult, error?: string }} Run
 *
 * @typedef {object} Outcome
 * @property {string} date
 * @property {ReturnType<typeof import('../lib/machine.mjs').machine>} machine
 * @property {string} database
 * @property {import('./plan.ts').LoadPlan} plan
 * @property {readonly Run[]} runs
 */

/** In the order in which one reads them. */
const PROCESSES = ['order-demo', 'inventory-demo', 'broker', 'database', 'generator'];

/** What a machine does that has nothing to do. */
const QUIET_CORES = 0.2;
const NOT_QUIET = 'Orders a second and times are those of a busy machine; CPU times are a guide.';

/** @param {Outcome} outcome @returns {string} in Markdown, which reads well on a terminal, too */
export function reportText(outcome) {
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

/** Of the tries that are shown. @param {SetupResult} result */
function othersIn({ compared, best }) {
  return [compared, ...(best === undefined ? [] : [best])].map(({ otherCores }) => otherCores);
}

/** What makes a run fail: what was lost, and what broke. @param {readonly Run[]} runs @returns {string[]} */
export function problemsIn(runs) {
  return runs.flatMap(({ label, instances, round, result, error }) => {
    const where = `${label}, ${instances} inventory-demo, round ${round + 1}`;
    // What follows is the end of a process's output, printed when it failed, and in the JSON.
    const broken = error?.split('\n')[0];
    return [...(broken === undefined ? [] : [broken]), ...(result?.violations ?? [])].map(
      (what) => `${where}: ${what}`,
    );
  });
}

/** @param {Outcome} outcome */
function aboutText({ date, machine, database, plan }) {
  const { cpu, cores, memoryGiB, system, node, java } = machine;
  const { rounds, seconds, products, clients } = plan;
  return [
    `${date}. ${cpu}, ${cores} cores that all processes and the generator share, ${memoryGiB} GiB; ${system}; Node.js ${node}; ${java}; ${database}.`,
    `${rounds === 1 ? 'One round' : `Medians of ${rounds} rounds, with the least and the most`}; ${seconds} s each rate; ${products} products; at most ${clients} requests at a time. Times in ms.`,
    ...plan.notes.map((note) => `Measured ${note}.`),
  ].join('\n');
}

/**
 * The runs of each setup, in the order of the plan.
 * @param {import('./plan.ts').LoadPlan} plan @param {readonly (Run & { result: SetupResult })[]} runs @returns {Group[]}
 */
function groupsOf({ setups }, runs) {
  return setups
    .map(({ backend, instances }) => runs.filter((run) => run.backend === backend && run.instances === instances))
    .flatMap((group) => {
      const results = group.map(({ result }) => result);
      return group.slice(0, 1).map(({ label, instances }) => ({ name: `${label}, ${instances}`, results }));
    });
}

/** @param {readonly Group[]} rows */
function sustainedTable(rows) {
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

/** @param {readonly Group[]} rows */
function comparedTable(rows) {
  const head = ['broker, inventory-demo', 'POST p50', 'p99', 'reserved p50', 'p90', 'p99', 'max', 'sustained'];
  return table(
    head,
    rows.map(({ name, results }) => {
      const compared = results.map((one) => one.compared);
      return [name, ...latencies(compared), compared.every(({ isSustained }) => isSustained) ? 'yes' : 'no'];
    }),
  );
}

/** @param {readonly Tried[]} tries */
function latencies(tries) {
  const of = (/** @type {(one: Tried) => number} */ pick) => cell(tries.map(pick));
  return [
    of(({ postMs }) => postMs.p50),
    of(({ postMs }) => postMs.p99),
    of(({ reservedMs }) => reservedMs.p50),
    of(({ reservedMs }) => reservedMs.p90),
    of(({ reservedMs }) => reservedMs.p99),
    of(({ reservedMs }) => reservedMs.max),
  ];
}

/** @param {readonly Group[]} rows */
function costTable(rows) {
  const measured = PROCESSES.filter((name) =>
    rows.some(({ results }) => results.slice(0, 1).some(({ compared }) => name in compared.millisPerOrder)),
  );
  const cost = (/** @type {readonly Tried[]} */ tries, /** @type {string} */ name) =>
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

/** @param {readonly Group[]} rows @returns {string | undefined} undefined when nothing was profiled */
function profileTable(rows) {
  const lines = rows.flatMap(({ name, results }) => {
    const profiles = results.flatMap((result) => (result.profiles === undefined ? [] : [result.profiles]));
    return Object.keys(profiles[0] ?? {}).map((demo) => {
      const shareOf = (/** @type {string} */ part) => median(profiles.map((one) => percentOf(one[demo] ?? [], part)));
      return [`${name}: ${demo}`, ...PARTS.map((part) => shareOf(part).toFixed(0))];
    });
  });
  return lines.length === 0 ? undefined : table(['broker, inventory-demo', ...PARTS], lines);
}

/** A part that begins with another one's name belongs to it, too. @param {readonly import('../lib/profile.mjs').Share[]} shares @param {string} part */
function percentOf(shares, part) {
  const own = shares.filter(({ place }) => place === part || place.startsWith(`${part}: `));
  return own.reduce((sum, { percent }) => sum + percent, 0);
}

/** @param {readonly Tried[]} tries */
function busiestOf(tries) {
  const names = Object.keys(tries[0]?.cores ?? {});
  const cores = names.map((name) => ({ name, cores: median(tries.map((one) => one.cores[name] ?? 0)) }));
  const [busiest] = cores.sort((one, other) => other.cores - one.cores);
  return busiest === undefined ? '-' : `${busiest.name}, ${busiest.cores.toFixed(2)} cores`;
}

/** @param {readonly number[]} values of the rounds */
function cell(values) {
  const write = (/** @type {number} */ value) => value.toFixed(0);
  if (values.length === 1) return write(median(values));
  return `${write(median(values))} (${write(Math.min(...values))}-${write(Math.max(...values))})`;
}

/** @param {string} folder @param {Outcome} outcome @returns {string} the file */
export function writeJson(folder, outcome) {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'load.json');
  writeFileSync(file, `${JSON.stringify({ ...outcome, problems: problemsIn(outcome.runs) }, undefined, 2)}\n`);
  return file;
}
