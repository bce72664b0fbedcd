// Runs seeds until the time is over, reports the results, and shrinks the first failing plan.

import './platform/machine.js';
import type { Counts, Tools } from '../check.js';
import { newSeed } from '../options.js';
import { countBranches } from './branches.js';
import { planOf } from './drawn-plan.js';
import type { Plan } from './plan.js';
import { type RunResult, runPlan } from './run.js';
import { shrink } from './shrink.js';

const SHRINK_MS = 90_000;
/** The maximum number of lines of the shortest history that are printed. */
const MAX_LINES = 400;
const HOUR_MS = 3_600_000;
const SECONDS = 120;

interface SimulationValues {
  readonly seconds: number | undefined;
  readonly seeds: number | undefined;
  readonly long: boolean;
  readonly seed: number | undefined;
  /** As JSON. */
  readonly plan: string | undefined;
  readonly trace: boolean;
  readonly brief: boolean;
  readonly 'keep-going': boolean;
  readonly branches: boolean;
}

/** Real time; the clock of a simulation is virtual. */
const now = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000;

function plansOf({ plan, seed: first = newSeed() }: SimulationValues) {
  if (plan !== undefined) return [JSON.parse(plan) as Plan];
  return (function* (): Iterable<Plan> {
    for (let next = first; ; next++) yield planOf(next);
  })();
}

async function explain(failed: RunResult, print: Tools['print']): Promise<void> {
  print(`seed ${failed.plan.seed} fails; looking for its shortest history`);
  const shortest = await shrink(failed, now, now() + SHRINK_MS);
  const lines: string[] = [];
  await runPlan(shortest.plan, (line) => lines.push(line));
  for (const line of lines.slice(0, MAX_LINES)) print(line);
  if (lines.length > MAX_LINES) print(`... and ${lines.length - MAX_LINES} lines more`);
  for (const violation of shortest.violations.slice(0, 20)) print(`  VIOLATION ${violation}`);
  print(`npm run check simulation -- --trace --plan '${JSON.stringify(shortest.plan)}'`);
}

/** @returns the seeds that passed and failed */
export async function simulate(values: SimulationValues, { print, signal }: Tools): Promise<Counts> {
  const isAlone =
    values.plan !== undefined ||
    (values.seed !== undefined && values.seconds === undefined && values.seeds === undefined && !values.long);
  const budgetMs = isAlone ? 0 : values.long ? HOUR_MS : (values.seconds ?? SECONDS) * 1_000;
  const branches = values.branches ? await countBranches() : undefined;
  const startedMs = now();
  const total = { seeds: 0, failed: 0, virtualMs: 0, events: 0, sends: 0, handlings: 0 };
  const injected = new Map<string, number>();
  for (const plan of plansOf(values)) {
    signal.throwIfAborted();
    const result = await runPlan(plan, values.trace ? print : undefined);
    total.seeds++;
    total.virtualMs += result.virtualMs;
    total.events += result.events;
    total.sends += result.sends;
    total.handlings += result.handlings;
    for (const [kind, count] of result.injected) injected.set(kind, (injected.get(kind) ?? 0) + count);
    if (isAlone) print(`seed ${plan.seed}: history ${result.hash}, ${result.events} events`);
    if (result.violations.length > 0) {
      total.failed++;
      for (const violation of result.violations.slice(0, 20)) print(`  VIOLATION of seed ${plan.seed}: ${violation}`);
      if (!values['keep-going'] && values.plan === undefined) {
        if (!values.brief) await explain(result, print);
        break;
      }
    }
    const isEnough = values.seeds === undefined ? now() - startedMs >= budgetMs : total.seeds >= values.seeds;
    if (isEnough) break;
  }
  report(total, injected, now() - startedMs, (await branches?.()) ?? [], print);
  return { passed: total.seeds - total.failed, failed: total.failed };
}

function report(
  total: Readonly<Record<'seeds' | 'failed' | 'virtualMs' | 'events' | 'sends' | 'handlings', number>>,
  injected: ReadonlyMap<string, number>,
  realMs: number,
  branches: readonly string[],
  print: Tools['print'],
): void {
  const hours = total.virtualMs / HOUR_MS;
  print(
    `${total.seeds} seeds, ${hours.toFixed(1)} virtual hours, ${((hours / realMs) * 60_000).toFixed(0)} a real minute`,
  );
  print(`${total.events} events, ${total.sends} sends, ${total.handlings} runs of handlers`);
  const kinds = [...injected].sort(([one], [other]) => (one < other ? -1 : 1));
  print(`faults: ${kinds.map(([kind, count]) => `${count} ${kind}`).join(', ')}`);
  for (const line of branches) print(line);
}
