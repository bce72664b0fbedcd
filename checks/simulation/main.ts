// `npm run simulate`: runs seeds until the time is over, reports the results, and shrinks the first failing plan.

import './platform/machine.js';
import { parseArgs } from 'node:util';
import { countBranches } from './branches.js';
import { type Plan, planOf } from './plan.js';
import { type RunResult, runPlan } from './run.js';
import { shrink } from './shrink.js';

const USAGE = `npm run simulate -- [options]
  --seconds N   how long, in real time (default 120)
  --seeds N     end after so many seeds
  --long        an hour
  --seed N      begin with this seed (default: a new one each time); without --seconds or --seeds, run it alone
  --plan JSON   run one plan, as a failing run prints it
  --trace       print the whole history of each run
  --brief       do not look for the shortest history of a seed that fails
  --keep-going  do not end at the first seed that fails
  --branches    say how much of the clients' code was reached; slower`;
const SHRINK_MS = 90_000;
/** The maximum number of lines of the shortest history that are printed. */
const MOST_LINES = 400;
const HOUR_MS = 3_600_000;

const options = {
  seconds: { type: 'string' },
  seeds: { type: 'string' },
  long: { type: 'boolean' },
  seed: { type: 'string' },
  plan: { type: 'string' },
  trace: { type: 'boolean' },
  'keep-going': { type: 'boolean' },
  branches: { type: 'boolean' },
  brief: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

/** Real time; the clock of a simulation is virtual. */
const now = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000;
const print = (line: string): void => void process.stdout.write(`${line}\n`);

function plansOf({ plan, seed }: { readonly plan?: string | undefined; readonly seed?: string | undefined }) {
  if (plan !== undefined) return [JSON.parse(plan) as Plan];
  const first = seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(seed);
  return (function* (): Iterable<Plan> {
    for (let next = first; ; next++) yield planOf(next);
  })();
}

async function explain(failed: RunResult): Promise<void> {
  print(`seed ${failed.plan.seed} fails; looking for its shortest history`);
  const shortest = await shrink(failed, now, now() + SHRINK_MS);
  const lines: string[] = [];
  await runPlan(shortest.plan, (line) => lines.push(line));
  for (const line of lines.slice(0, MOST_LINES)) print(line);
  if (lines.length > MOST_LINES) print(`... and ${lines.length - MOST_LINES} lines more`);
  for (const violation of shortest.violations.slice(0, 20)) print(`  VIOLATION ${violation}`);
  print(`npm run simulate -- --trace --plan '${JSON.stringify(shortest.plan)}'`);
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options });
  if (values.help) {
    print(USAGE);
    return 0;
  }
  const isAlone =
    values.plan !== undefined ||
    (values.seed !== undefined && values.seconds === undefined && values.seeds === undefined && !values.long);
  const budgetMs = isAlone ? 0 : values.long ? HOUR_MS : Number(values.seconds ?? 120) * 1_000;
  const branches = values.branches ? await countBranches() : undefined;
  const startedMs = now();
  const total = { seeds: 0, failed: 0, virtualMs: 0, events: 0, sends: 0, handlings: 0 };
  const struck = new Map<string, number>();
  for (const plan of plansOf(values)) {
    const result = await runPlan(plan, values.trace ? print : undefined);
    total.seeds++;
    total.virtualMs += result.virtualMs;
    total.events += result.events;
    total.sends += result.sends;
    total.handlings += result.handlings;
    for (const [kind, count] of result.struck) struck.set(kind, (struck.get(kind) ?? 0) + count);
    if (isAlone) print(`seed ${plan.seed}: history ${result.hash}, ${result.events} events`);
    if (result.violations.length > 0) {
      total.failed++;
      for (const violation of result.violations.slice(0, 20)) print(`  VIOLATION of seed ${plan.seed}: ${violation}`);
      if (!values['keep-going'] && values.plan === undefined) {
        if (!values.brief) await explain(result);
        break;
      }
    }
    const isEnough = values.seeds === undefined ? now() - startedMs >= budgetMs : total.seeds >= Number(values.seeds);
    if (isEnough) break;
  }
  report(total, struck, now() - startedMs, (await branches?.()) ?? []);
  return total.failed === 0 ? 0 : 1;
}

function report(
  total: Readonly<Record<'seeds' | 'failed' | 'virtualMs' | 'events' | 'sends' | 'handlings', number>>,
  struck: ReadonlyMap<string, number>,
  realMs: number,
  branches: readonly string[],
): void {
  const hours = total.virtualMs / HOUR_MS;
  print(
    `${total.seeds} seeds, ${hours.toFixed(1)} virtual hours, ${((hours / realMs) * 60_000).toFixed(0)} a real minute`,
  );
  print(`${total.events} events, ${total.sends} sends, ${total.handlings} runs of handlers`);
  const kinds = [...struck].sort(([one], [other]) => (one < other ? -1 : 1));
  print(`faults: ${kinds.map(([kind, count]) => `${count} ${kind}`).join(', ')}`);
  for (const line of branches) print(line);
  print(`${total.seeds - total.failed} passed, ${total.failed} failed`);
}

process.exitCode = await main();
