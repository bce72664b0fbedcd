// One benchmark from its options to its report.

import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { columnOf } from './columns.mjs';
import { runClient } from './lib/client-process.mjs';
import { Figures } from './lib/figures.mjs';
import { machine } from './lib/machine.mjs';
import { readProfile } from './lib/profile.mjs';
import { reportText, writeReport } from './lib/report.mjs';
import { compileJavaRival, installNodeRivals, JAVA_CLIENT_VERSION, JAVA_OPTIONS } from './lib/rivals.mjs';
import { runRounds } from './lib/rounds.mjs';
import { openServer } from './lib/servers.mjs';
import { SECTIONS } from './sections.mjs';

const ROUNDS = 3;
const PROFILED = ['send-64', 'drain'];
const PROFILE_LINES = 25;

/**
 * @param {{ quick: boolean, only?: string, columns?: string, rounds?: string, long: boolean, profile: boolean,
 *   'java-version'?: string, out?: string }} options
 * @param {{ root: string, home: string, log: (line: string) => void, signal: AbortSignal }} tools
 */
export async function runBenchmark(options, { root, home, log, signal }) {
  const plan = planOf(options);
  const wanted = new Set(plan.sections.flatMap(plan.columnsOf).map((id) => columnOf(id)));
  const needs = (/** @type {(column: import('./columns.mjs').Column) => boolean} */ test) => [...wanted].some(test);
  await installNodeRivals(log);
  const javaVersion = options['java-version'] ?? JAVA_CLIENT_VERSION;
  const classPath = needs(({ program }) => program === 'java') ? await compileJavaRival(javaVersion, log) : undefined;
  const servers = {};
  try {
    for (const kind of ['real', 'embedded']) {
      if (needs(({ server = 'real' }) => server === kind)) servers[kind] = await openServer(kind, log, signal);
    }
    const run = (column, task, more) => runClient(column, task, { home, classPath, signal, ...more });
    await warmUp(servers, run, options.quick, log);
    if (options.profile) return await profile(plan, { servers, home, run, log, signal });
    const runs = await runRounds(plan, { servers, runClient: run, log, signal });
    finish(options, plan, { runs, servers, javaVersion, root, log });
  } finally {
    for (const server of Object.values(servers)) await server.stop();
  }
}

/** A server compiles what is hot while it runs: whoever came first would be measured on a cold one. */
async function warmUp(servers, run, isQuick, log) {
  log('warming the servers up');
  const count = isQuick ? 10_000 : 60_000;
  for (const server of Object.values(servers)) {
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
}

function planOf({ quick, only, columns, rounds, long, profile: isProfile }) {
  const chosen = only?.split(',');
  const named = columns?.split(',').map((id) => columnOf(id).id);
  const isWanted = ({ id, isLong, quickTask }) => {
    if (isProfile) return PROFILED.includes(id);
    if (chosen !== undefined) return chosen.some((name) => id === name || id.startsWith(`${name}-`));
    return (long || !isLong) && (!quick || quickTask !== undefined);
  };
  const sections = SECTIONS.filter(isWanted).map((section) => ({
    ...section,
    task: (quick && section.quickTask) || section.task,
  }));
  if (sections.length === 0) throw new Error(`--only ${only}: there are ${SECTIONS.map(({ id }) => id).join(', ')}`);
  const columnsOf = (section) => {
    if (isProfile) return named ?? ['ours'];
    return section.columns.filter((id) =>
      named === undefined ? !(quick && columnOf(id).isSlowToGet) : named.includes(id),
    );
  };
  return { sections, columnsOf, rounds: roundsOf(rounds, quick || isProfile ? 1 : ROUNDS) };
}

/** @param {string | undefined} given @param {number} byDefault */
function roundsOf(given, byDefault) {
  const rounds = Number(given ?? byDefault);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds must be a whole number from 1, not "${given}"`);
  return rounds;
}

function finish(options, { sections, rounds }, { runs, servers, javaVersion, root, log }) {
  const figures = new Figures(runs);
  const outcome = {
    date: new Date().toISOString().slice(0, 10),
    machine: machine(),
    versions: versionsOf(figures, servers, javaVersion),
    javaOptions: JAVA_OPTIONS.join(' '),
    rounds,
    sections,
    figures,
    runs,
  };
  log(`\n${reportText(outcome)}\n`);
  const isWhole = !options.quick && options.only === undefined && options.columns === undefined;
  const folder = options.out ?? join(root, ...(isWhole ? ['docs', 'benchmarks'] : ['bench', 'results']));
  writeReport(folder, outcome);
  log(`written to ${folder}`);
  if (figures.failures().length > 0) process.exitCode = 1;
}

/** @returns {Record<string, string>} */
function versionsOf(figures, servers, javaVersion) {
  const { ours, node, java, 'java-warm': warmJava, raw } = figures.versions();
  const named = {
    server: servers.real?.name,
    'nestjs-rocketmq': ours,
    'rocketmq-client-nodejs': node,
    'rocketmq-client-java': (java ?? warmJava) && javaVersion,
    '@grpc/grpc-js': raw,
  };
  return Object.fromEntries(Object.entries(named).filter(([, version]) => version !== undefined));
}

/** Where the time of this library goes: each section once, under the profiler. */
async function profile(plan, { servers, home, run, log, signal }) {
  for (const section of plan.sections) {
    for (const column of plan.columnsOf(section)) {
      const folder = mkdtempSync(join(home, 'profile-'));
      const nodeFlags = ['--cpu-prof', `--cpu-prof-dir=${folder}`];
      const one = { ...plan, sections: [{ ...section, nodeFlags }], columnsOf: () => [column] };
      await runRounds(one, { servers, runClient: run, log, signal });
      const { own, charged } = readProfile(folder);
      logShares(`${section.title}, ${column}: functions by their own time`, own, log);
      logShares('the same with what Node.js and packages do for them', charged, log);
    }
  }
}

/** @param {string} title @param {readonly { percent: number, place: string }[]} shares @param {(line: string) => void} log */
function logShares(title, shares, log) {
  const lines = shares
    .slice(0, PROFILE_LINES)
    .map(({ percent, place }) => `${percent.toFixed(1).padStart(5)} %  ${place}`);
  log(`\n${title}\n\n${lines.join('\n')}\n`);
}
