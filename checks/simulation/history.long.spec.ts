// A seed has the same history on every machine.

import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';
import { MINUTE_MS, SECOND_MS } from 'nestjs-rocketmq';
import { TYPESCRIPT_ARGS } from '../../tools/typescript/typescript-args.js';
import { planOf } from './drawn-plan.js';
import type { Plan } from './plan.js';

const ROOT = join(import.meta.dirname, '..', '..');
const TEST_TIMEOUT_MS = 3 * MINUTE_MS;

/** The plan of a seed, shortened to save time. */
function shortPlan(seed: number, isNest: boolean): Plan {
  const plan = planOf(seed);
  const activeMs = 15 * SECOND_MS;
  const parts = { ...plan.parts, nest: isNest, ordered: true, simple: true, transactions: true };
  const faults = plan.faults.filter(({ atMs }) => atMs < activeMs);
  return { ...plan, activeMs, settleMs: 2 * MINUTE_MS, idleMs: 0, parts, faults };
}

async function historyOf(plan: Plan, cwd: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const program = [...TYPESCRIPT_ARGS, join(ROOT, 'checks/run.ts'), 'simulation'];
  const args = [...program, '--brief', '--plan', JSON.stringify(plan)];
  const run = promisify(execFile)(process.execPath, args, { cwd, env: { ...process.env, ...env } });
  // Two minutes are too short for everything to settle; here only the equality of both runs matters.
  const { stdout } = await run.catch((error: { stdout: string }) => error);
  return /history ([0-9a-f]{16}), \d+ events/.exec(stdout)?.[0];
}

it.each([
  { seed: 2, isNest: false },
  { seed: 7, isNest: true },
])(
  'a seed has the same history in another time zone, language, folder and process, and another one another: %o',
  async ({ seed, isNest }) => {
    const plan = shortPlan(seed, isNest);
    const [history, elsewhere, other] = await Promise.all([
      historyOf(plan, ROOT, { TZ: 'UTC', LANG: 'C' }),
      historyOf(plan, tmpdir(), { TZ: 'Asia/Tokyo', LANG: 'tr_TR.UTF-8' }),
      isNest ? undefined : historyOf({ ...plan, seed: seed + 1 }, ROOT, {}),
    ]);
    expect(history).toMatch(/^history/);
    expect(elsewhere).toBe(history);
    expect(other).not.toBe(history);
  },
  TEST_TIMEOUT_MS,
);
