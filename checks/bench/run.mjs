// One benchmark from its options to its report.

import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { OptionError } from '../options.ts';
import { columnOf } from './columns.mjs';
import { runClient } from './lib/client-process.mjs';
import { secondsOf } from './lib/estimate.mjs';
import { Figures } from './lib/figures.mjs';
import { machine } from './lib/machine.mjs';
import { readProfile } from './lib/profile.mjs';
import { reportText, writeReport } from './lib/report.mjs';
import { compileJavaRival, installNodeRivals, JAVA_CLIENT_VERSION, JAVA_OPTIONS } from './lib/rivals.mjs';
import { runRounds } from './lib/rounds.mjs';
import { openServer } from './lib/servers.mjs';
import { keep, keptRatios, ROUNDS as ROUNDS_TO_CHECK, ratiosOf, regressions, SCALE, WATCHED } from './regressions.mjs';
import { SECTIONS } from './sections.mjs';

const ROUNDS = 3;
/** To build, to start the servers and to warm them up. */
const START_SECONDS = { quick: 20, whole: 40 };
const PROFILED = ['send-64', 'drain'];
const PROFILE_LINES = 25;

/**
 * @typedef {import('./sections.mjs').Section} Section
 * @typedef {import('./lib/rounds.mjs').Run} Run
 * @typedef {import('./lib/rounds.mjs').RunClient} RunClient
 * @typedef {import('./lib/rounds.mjs').Servers} Servers
 * @typedef {(line: string) => void} Log
 *
 * @typedef {import('../options.ts').Values<typeof import('./check.ts').BENCH_OPTIONS>} Options
 *
 * @typedef {{ sections: readonly Section[], columnsOf: (section: Section) => readonly string[], rounds: number, isWhole: boolean }} Plan
 */

/**
 * @param {Options} options @param {{ root: string, home: string, log: Log, signal: AbortSignal }} tools
 * @returns {Promise<boolean>} whether all could be measured
 */
export async function runBenchmark(options, tools) {
  const began = performance.now();
  const { log } = tools;
  const javaVersion = options['java-version'];
  const isSound = await onServers(
    planOf(options),
    { ...tools, javaVersion, isQuick: options.quick },
    (plan, running) => (options.profile ? profile(plan, running) : measure(options.out, plan, running)),
  );
  log(`took ${minutes((performance.now() - began) / 1000)}`);
  return isSound;
}

/**
 * One round, unless it looks slower: then the median of all rounds counts.
 * @param {{ keep: boolean }} options @param {{ root: string, home: string, log: Log, signal: AbortSignal }} tools
 * @returns {Promise<boolean>} whether nothing has become slower
 */
export function compareWithKept({ keep: isToKeep }, tools) {
  return onServers(planToCheck(), { ...tools, javaVersion: JAVA_CLIENT_VERSION, isQuick: false }, (plan, running) =>
    isToKeep ? keepRatios(plan, running) : hasKeptItsSpeed(plan, running),
  );
}

/**
 * @typedef {{ servers: Servers, run: RunClient, javaVersion: string, root: string, home: string, log: Log, signal: AbortSignal }} Running
 * @param {Plan} plan
 * @param {{ root: string, home: string, log: Log, signal: AbortSignal, javaVersion: string, isQuick: boolean }} tools
 * @param {(plan: Plan, running: Running) => Promise<boolean>} use
 */
async function onServers(plan, { root, home, log, signal, javaVersion, isQuick }, use) {
  log(`about ${minutes(estimate(plan, isQuick))} on two quiet cores; started at ${new Date().toISOString()}`);
  const columnsIn = (/** @type {readonly Section[]} */ sections) => sections.flatMap(plan.columnsOf).map(columnOf);
  const wanted = columnsIn(plan.sections);
  const served = columnsIn(plan.sections.filter(({ startsItself }) => !startsItself));
  await installNodeRivals(log);
  const classPath = wanted.some(({ program }) => program === 'java')
    ? await compileJavaRival(javaVersion, log)
    : undefined;
  /** @type {Servers} */
  const servers = {};
  try {
    for (const kind of /** @type {const} */ (['real', 'memory', 'async', 'sync'])) {
      if (served.some(({ server = 'real' }) => server === kind)) servers[kind] = await openServer(kind, log, signal);
    }
    /** @type {RunClient} */
    const run = (column, task, more) => runClient(column, task, { home, classPath, signal, ...more });
    if (servers.real !== undefined) await warmUp(await servers.real.take(), run, isQuick, log);
    return await use(plan, { servers, run, javaVersion, root, home, log, signal });
  } finally {
    for (const server of Object.values(servers)) await server.stop();
  }
}

/**
 * Whatever ends a run early, what was measured until then is reported.
 * @param {string | undefined} out @param {Plan} plan @param {Running} running
 */
async function measure(out, plan, { servers, run, javaVersion, root, log, signal }) {
  const results = join(root, 'bench', 'results');
  const notes = join(results, 'runs.jsonl');
  mkdirSync(results, { recursive: true });
  rmSync(notes, { force: true });
  /** @type {Run[]} */
  const runs = [];
  const onRun = (/** @type {Run} */ one) => {
    runs.push(one);
    appendFileSync(notes, `${JSON.stringify(one)}\n`);
  };
  let isComplete = false;
  try {
    await runRounds(plan, { servers, runClient: run, log, onRun, signal });
    isComplete = true;
  } finally {
    if (!isComplete) log('stopped early: this is what was measured until then');
    const folder = out ?? (isComplete && plan.isWhole ? join(root, 'docs', 'benchmarks') : results);
    if (runs.length > 0) finish(folder, plan, { runs, servers, javaVersion, log });
  }
  return runs.every(({ error }) => error === undefined);
}

/** @param {Plan} plan @param {boolean} isQuick @returns {number} seconds */
function estimate({ sections, columnsOf, rounds }, isQuick) {
  const all = sections.flatMap((section) => {
    const times = section.isOnce ? 1 : rounds;
    return columnsOf(section).map((id) => times * secondsOf(columnOf(id), section.task));
  });
  return START_SECONDS[isQuick ? 'quick' : 'whole'] + all.reduce((sum, one) => sum + one, 0);
}

const minutes = (/** @type {number} */ seconds) =>
  seconds < 120 ? `${Math.round(seconds)} s` : `${(seconds / 60).toFixed(1)} minutes`;

/**
 * A server compiles what is hot while it runs: whoever came first would be measured on a cold one.
 * @param {import('./lib/servers.mjs').Server} server @param {RunClient} run @param {boolean} isQuick @param {Log} log
 */
async function warmUp(server, run, isQuick, log) {
  log('warming the server up');
  const count = isQuick ? 10_000 : 60_000;
  const topic = `bench-warm-up-${process.pid}`;
  await server.createTopic(topic);
  await server.createGroup(topic);
  const task = { endpoints: server.endpoints, topic, group: topic, bodyBytes: 1024, inFlight: 64, warmUp: 1, count };
  const lean = columnOf('lean');
  for (const workload of ['send', 'drain']) {
    await run(
      lean,
      { ...task, workload, options: lean.options, count: workload === 'send' ? count : count / 2 },
      { timeoutMs: 120_000 },
    );
  }
}

/** @param {Options} options @returns {Plan} */
function planOf({ quick, only: chosen, columns, scale, long, profile: isProfile, ...options }) {
  const named = columns?.map((id) => columnOf(id).id);
  const isWanted = (/** @type {Section} */ { id, isLong, quickTask }) => {
    if (chosen !== undefined) return chosen.some((name) => id === name || id.startsWith(`${name}-`));
    if (isProfile) return PROFILED.includes(id);
    return (long || !isLong) && (!quick || quickTask !== undefined);
  };
  const sections = SECTIONS.filter(isWanted).map((section) => ({
    ...section,
    task: scaled((quick && section.quickTask) || section.task, scale),
  }));
  if (sections.length === 0)
    throw new OptionError(`--only ${chosen}: there are ${SECTIONS.map(({ id }) => id).join(', ')}`);
  const columnsOf = (/** @type {Section} */ section) => {
    if (isProfile) return named ?? ['ours'];
    if (named !== undefined) return section.columns.filter((id) => named.includes(id));
    return quick
      ? (section.quickColumns ?? section.columns.filter((id) => !columnOf(id).isSlowToGet))
      : section.columns;
  };
  const { rounds = quick || isProfile ? 1 : ROUNDS } = options;
  const isWhole = !quick && chosen === undefined && named === undefined && scale === 1 && rounds >= ROUNDS;
  return { sections, columnsOf, rounds, isWhole };
}

/** @returns {Plan} */
function planToCheck() {
  const sections = SECTIONS.filter(({ id }) => WATCHED.sections.includes(id)).map((section) => ({
    ...section,
    task: scaled(section.task, SCALE),
  }));
  return { sections, columnsOf: () => WATCHED.columns, rounds: ROUNDS_TO_CHECK, isWhole: false };
}

/** What there is of messages and seconds, times a factor. @param {import('./sections.mjs').SectionTask} task @param {number} factor */
function scaled(task, factor) {
  const times = (/** @type {number} */ value) => Math.ceil(value * factor);
  const names = /** @type {const} */ (['warmUp', 'count', 'warmUpSeconds', 'seconds', 'pending', 'about']);
  const scaledOnes = names.flatMap((name) => (task[name] === undefined ? [] : [[name, times(task[name])]]));
  return { ...task, ...Object.fromEntries(scaledOnes) };
}

/** @param {string} folder @param {Plan} plan @param {{ runs: readonly Run[], servers: Servers, javaVersion: string, log: Log }} tools */
function finish(folder, { sections, rounds }, { runs, servers, javaVersion, log }) {
  const figures = new Figures(runs);
  const outcome = {
    date: new Date().toISOString().slice(0, 10),
    machine: machine(),
    versions: versionsOf(figures, servers, javaVersion),
    javaOptions: JAVA_OPTIONS.join(' '),
    rounds,
    sections: sections.filter(({ id }) => figures.columnsOf(id).length > 0),
    figures,
    runs,
  };
  log(`\n${reportText(outcome)}\n`);
  writeReport(folder, outcome);
  log(`written to ${folder}`);
}

/** @param {Figures} figures @param {Servers} servers @param {string} javaVersion @returns {Record<string, string>} */
function versionsOf(figures, servers, javaVersion) {
  const { ours, node, java, 'java-warm': warmJava, raw } = figures.versions();
  const named = {
    server: servers.real?.name,
    'nestjs-rocketmq': ours,
    'rocketmq-client-nodejs': node,
    'rocketmq-client-java': (java ?? warmJava) && javaVersion,
    '@grpc/grpc-js': raw,
  };
  return Object.fromEntries(
    Object.entries(named).flatMap(([name, version]) => (typeof version === 'string' ? [[name, version]] : [])),
  );
}

/** @param {Plan} plan @param {Running} running @returns {Promise<boolean>} */
async function keepRatios(plan, running) {
  const ratios = await measureRatios([], plan, running, { firstRound: 0, rounds: plan.rounds });
  keep(ratios);
  return true;
}

/** @param {Plan} plan @param {Running} running @returns {Promise<boolean>} */
async function hasKeptItsSpeed(plan, running) {
  /** @type {Run[]} */
  const runs = [];
  const first = await measureRatios(runs, plan, running, { firstRound: 0, rounds: 1 });
  let slower = regressions(first, keptRatios());
  if (slower.length > 0) {
    running.log(`more rounds, because of ${slower.join('; ')}`);
    const all = await measureRatios(runs, plan, running, { firstRound: 1, rounds: plan.rounds });
    slower = regressions(all, keptRatios());
  }
  for (const line of slower) running.log(`slower: ${line}`);
  return slower.length === 0;
}

/**
 * @param {Run[]} runs all until now @param {Plan} plan @param {Running} running @param {{ firstRound: number, rounds: number }} which
 */
async function measureRatios(runs, plan, { servers, run, log, signal }, which) {
  const onRun = (/** @type {Run} */ one) => void runs.push(one);
  await runRounds({ ...plan, ...which }, { servers, runClient: run, log, onRun, signal });
  const ratios = ratiosOf(new Figures(runs));
  log(JSON.stringify(ratios));
  return ratios;
}

/**
 * Where the time of this library goes: each section once, under the profiler.
 * @param {Plan} plan @param {Running} running
 */
async function profile(plan, { servers, home, run, log, signal }) {
  for (const section of plan.sections) {
    for (const column of plan.columnsOf(section)) {
      const folder = mkdtempSync(join(home, 'profile-'));
      const nodeFlags = ['--cpu-prof', `--cpu-prof-dir=${folder}`];
      const one = { ...plan, sections: [{ ...section, nodeFlags }], columnsOf: () => [column] };
      await runRounds(one, { servers, runClient: run, log, onRun: throwFailure, signal });
      const { own, charged } = readProfile(folder);
      logShares(`${section.title}, ${column}: functions by their own time`, own, log);
      logShares('the same with what Node.js and packages do for them', charged, log);
    }
  }
  return true;
}

/** @param {Run} run */
function throwFailure({ error }) {
  if (error !== undefined) throw new Error(error);
}

/** @param {string} title @param {readonly { percent: number, place: string }[]} shares @param {(line: string) => void} log */
function logShares(title, shares, log) {
  const lines = shares
    .slice(0, PROFILE_LINES)
    .map(({ percent, place }) => `${percent.toFixed(1).padStart(5)} %  ${place}`);
  log(`\n${title}\n\n${lines.join('\n')}\n`);
}
