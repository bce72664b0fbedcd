// One benchmark from its options to its report.

import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hasProxy } from '../../libs/rocketmq/src/cli/server/jars.js';
import { type Column, columnOf } from './columns.js';
import { runClient } from './lib/client-process.js';
import { Figures, type Run } from './lib/figures.js';
import { machine } from './lib/machine.js';
import { readProfile } from './lib/profile.js';
import { reportText, writeReport } from './lib/report.js';
import { compileGoRival, compileJavaRival, installNodeRivals, JAVA_OPTIONS } from './lib/rivals.js';
import { type RunClient, runRounds, type Servers } from './lib/rounds.js';
import { openServer, type Server } from './lib/servers.js';
import { type BenchValues, estimate, type JavaVersions, type Plan, planOf, planToCheck } from './plan.js';
import { keep, keptRatios, ratiosOf, regressions } from './regressions.js';
import type { Section } from './section.js';

const PROFILE_LINES = 25;

type Log = (line: string) => void;

interface Tools {
  root: string;
  home: string;
  log: Log;
  signal: AbortSignal;
}

/** @returns whether all could be measured */
export async function runBenchmark(options: BenchValues, tools: Tools): Promise<boolean> {
  const began = performance.now();
  const { log } = tools;
  const isSound = await onServers(planOf(options), { ...tools, isQuick: options.quick }, (plan, running) =>
    options.profile ? profile(plan, running) : measure(options.out, plan, running),
  );
  log(`took ${minutes((performance.now() - began) / 1000)}`);
  return isSound;
}

/**
 * One round, unless it looks slower: then the median of all rounds counts.
 * @returns whether nothing has become slower
 */
export function compareWithKept({ keep: isToKeep }: { keep: boolean }, tools: Tools): Promise<boolean> {
  return onServers(planToCheck(), { ...tools, isQuick: false }, (plan, running) =>
    isToKeep ? keepRatios(plan, running) : hasKeptItsSpeed(plan, running),
  );
}

interface Running extends Tools {
  servers: Servers;
  run: RunClient;
}

const isTooNew = (minNodeMajor = 0) => Number.parseInt(process.versions.node, 10) < minNodeMajor;

async function onServers(
  planned: Plan,
  { root, home, log, signal, isQuick }: Tools & { isQuick: boolean },
  use: (plan: Plan, running: Running) => Promise<boolean>,
): Promise<boolean> {
  log(`about ${minutes(estimate(planned, isQuick))} on two quiet cores; started at ${new Date().toISOString()}`);
  const all = new Set(planned.sections.flatMap(planned.columnsOf).map(columnOf));
  for (const { label, minNodeMajor } of all) {
    if (isTooNew(minNodeMajor))
      log(`left out: ${label} needs Node.js ${minNodeMajor}, and this is ${process.versions.node}`);
  }
  const isWanted = (program: string) => [...all].some((column) => column.program === program);
  await installNodeRivals(log);
  const classPath = isWanted('java') ? await compileJavaRival(planned.javaVersions, log) : undefined;
  const goProgram = isWanted('go') ? await compileGoRival(log) : undefined;
  const isThere = ({ program, minNodeMajor }: Column) =>
    !isTooNew(minNodeMajor) && (program !== 'go' || goProgram !== undefined);
  const plan = {
    ...planned,
    isWhole: planned.isWhole && (goProgram !== undefined || !isWanted('go')),
    columnsOf: (section: Section) => planned.columnsOf(section).filter((id) => isThere(columnOf(id))),
  };
  const served = plan.sections
    .filter(({ startsItself }) => !startsItself)
    .flatMap(plan.columnsOf)
    .map(columnOf);
  const servers: Servers = {};
  try {
    for (const kind of ['real', 'memory', 'remoting', 'async', 'sync', 'postgresql'] as const) {
      if (served.some(({ server = 'real' }) => server === kind)) {
        servers[kind] = await openServer(kind, plan.serverVersion, log, signal);
      }
    }
    const run: RunClient = (column, task, more) =>
      runClient(column, task, { home, classPath, goProgram, signal, ...more });
    if (servers.real !== undefined)
      await warmUp(await servers.real.take(), hasProxy(plan.serverVersion) ? 'lean' : 'ours-remoting', {
        run,
        isQuick,
        log,
      });
    return await use(plan, { servers, run, root, home, log, signal });
  } finally {
    for (const server of Object.values(servers)) await server.stop();
  }
}

/** Whatever ends a run early, what was measured until then is reported. */
async function measure(
  out: string | undefined,
  plan: Plan,
  { servers, run, root, log, signal }: Running,
): Promise<boolean> {
  const results = join(root, 'checks', 'bench', 'results');
  const notes = join(results, 'runs.jsonl');
  mkdirSync(results, { recursive: true });
  rmSync(notes, { force: true });
  const runs: Run[] = [];
  const onRun = (one: Run) => {
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
    if (runs.length > 0) finish(folder, plan, { runs, servers, log });
  }
  return runs.every(({ error }) => error === undefined);
}

const minutes = (seconds: number) =>
  seconds < 120 ? `${Math.round(seconds)} s` : `${(seconds / 60).toFixed(1)} minutes`;

/** A server compiles what is hot while it runs: whoever came first would be measured on a cold one. */
async function warmUp(
  server: Server,
  id: 'lean' | 'ours-remoting',
  { run, isQuick, log }: { run: RunClient; isQuick: boolean; log: Log },
): Promise<void> {
  log('warming the server up');
  const count = isQuick ? 10_000 : 60_000;
  const topic = `bench-warm-up-${process.pid}`;
  await server.createTopic(topic);
  await server.createGroup(topic);
  const task = { endpoints: server.endpoints, topic, group: topic, bodyBytes: 1024, inFlight: 64, warmUp: 1, count };
  const column = columnOf(id);
  for (const workload of ['send', 'drain']) {
    await run(
      column,
      { ...task, workload, options: column.options, count: workload === 'send' ? count : count / 2 },
      { timeoutMs: 120_000 },
    );
  }
}

function finish(
  folder: string,
  { sections, rounds, javaVersions }: Plan,
  { runs, servers, log }: { runs: readonly Run[]; servers: Servers; log: Log },
): void {
  const figures = new Figures(runs);
  const outcome = {
    date: new Date().toISOString().slice(0, 10),
    machine: machine(),
    versions: versionsOf(figures, servers, javaVersions),
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

function versionsOf(figures: Figures, servers: Servers, javaVersions: JavaVersions): Record<string, string> {
  const { ours, 'ours-remoting': byNameServer, node, java, 'java-warm': warmJava, raw, ...others } = figures.versions();
  const { go, 'go-remoting': goByNameServer } = others;
  const hasRemoting = Object.keys(others).some((id) => id.startsWith('java-remoting'));
  const named = {
    server: servers.real?.name,
    'nestjs-rocketmq': ours ?? byNameServer,
    'rocketmq-client-nodejs': node,
    'rocketmq-client-java': (java ?? warmJava) && javaVersions.byProxy,
    'rocketmq-client': hasRemoting && javaVersions.byNameServer,
    'rocketmq-clients golang/v5': go,
    'rocketmq-client-go/v2': goByNameServer,
    '@grpc/grpc-js': raw,
  };
  return Object.fromEntries(
    Object.entries(named).flatMap(([name, version]) => (typeof version === 'string' ? [[name, version]] : [])),
  );
}

async function keepRatios(plan: Plan, running: Running): Promise<boolean> {
  const ratios = await measureRatios([], plan, running, { firstRound: 0, rounds: plan.rounds });
  keep(ratios);
  return true;
}

async function hasKeptItsSpeed(plan: Plan, running: Running): Promise<boolean> {
  const runs: Run[] = [];
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

/** @param runs all until now */
async function measureRatios(
  runs: Run[],
  plan: Plan,
  { servers, run, log, signal }: Running,
  which: { firstRound: number; rounds: number },
) {
  const onRun = (one: Run) => void runs.push(one);
  await runRounds({ ...plan, ...which }, { servers, runClient: run, log, onRun, signal });
  const ratios = ratiosOf(new Figures(runs));
  log(JSON.stringify(ratios));
  return ratios;
}

/** Where the time of this library goes: each section once, under the profiler. */
async function profile(plan: Plan, { servers, home, run, log, signal }: Running): Promise<boolean> {
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

function throwFailure({ error }: Run): void {
  if (error !== undefined) throw new Error(error);
}

function logShares(
  title: string,
  shares: readonly { percent: number; place: string }[],
  log: (line: string) => void,
): void {
  const lines = shares
    .slice(0, PROFILE_LINES)
    .map(({ percent, place }) => `${percent.toFixed(1).padStart(5)} %  ${place}`);
  log(`\n${title}\n\n${lines.join('\n')}\n`);
}
