// A whole run of `npm run check load`, from its plan to its report.

import { join } from 'node:path';
import { machine } from '../lib/machine.js';
import { type Backend, openBackend } from './backends.js';
import { openDatabases } from './databases.js';
import { type LoadPlan, scheduleOf } from './plan.js';
import { problemsIn, type Run, reportText, writeJson } from './report.js';
import { runSetup } from './setup-run.js';

/**
 * Whatever ends a run early, what was measured until then is reported. Figures fail nothing: what was lost does, and what broke.
 * @returns whether all went well
 */
export async function runLoad(
  plan: LoadPlan,
  { root, home, log, signal }: { root: string; home: string; log: (line: string) => void; signal: AbortSignal },
): Promise<boolean> {
  for (const note of plan.notes) log(note);
  const opened: { stop: () => Promise<void> }[] = [];
  const open: <T extends { stop: () => Promise<void> }>(what: T) => T = (what) => {
    opened.push(what);
    return what;
  };
  const runs: Run[] = [];
  let database: string = plan.database;
  try {
    const databases = open(await openDatabases(plan.database));
    database = databases.name;
    const backends = new Map<string, Backend>();
    for (const backend of new Set(plan.setups.map((setup) => setup.backend))) {
      backends.set(backend, open(await openBackend(backend, { log, signal })));
    }
    const schedule = scheduleOf(plan);
    const warm = new Set();
    for (const [index, { backend: wanted, instances, round }] of schedule.entries()) {
      signal.throwIfAborted();
      const backend = backends.get(wanted);
      if (backend === undefined) throw new Error(`no backend was opened: ${wanted}`);
      log(`${index + 1}/${schedule.length} ${backend.label}, ${instances} inventory-demo, ${databases.name}`);
      const about = { backend: wanted, instances, round, label: backend.label };
      const isCold = backend.isCold && !warm.has(wanted);
      warm.add(wanted);
      const setup = { backend: wanted, instances, name: `run${index + 1}`, isCold };
      runs.push({ ...about, ...(await outcomeOf(setup, plan, { backend, databases, home, log, signal })) });
    }
  } finally {
    for (const one of opened.reverse()) await one.stop();
    if (runs.length > 0) report(plan, { runs, database, root, log });
  }
  return problemsIn(runs).length === 0;
}

/** A setup that breaks leaves the others alone. */
async function outcomeOf(...given: Parameters<typeof runSetup>) {
  const [, , tools] = given;
  try {
    return { result: await runSetup(...given) };
  } catch (error) {
    if (tools.signal.aborted) throw tools.signal.reason;
    const text = error instanceof Error ? error.message : String(error);
    tools.log(`  FAILED: ${text}`);
    return { error: text };
  }
}

function report(
  plan: LoadPlan,
  { runs, database, root, log }: { runs: readonly Run[]; database: string; root: string; log: (line: string) => void },
): void {
  const outcome = { date: new Date().toISOString().slice(0, 10), machine: machine(), database, plan, runs };
  log(`\n${reportText(outcome)}\n`);
  log(`written to ${writeJson(plan.out ?? join(root, 'checks', 'bench', 'results'), outcome)}`);
}
