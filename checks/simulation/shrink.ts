// Shrinks a failing plan as long as it still fails in the same way.

import type { Plan } from './plan.js';
import { type RunResult, runPlan } from './run.js';

/** Simplifications that are tried first. Each is kept if the plan still fails. */
const CUTS: readonly ((plan: Plan) => Plan)[] = [
  (plan) => ({ ...plan, idleMs: 0 }),
  (plan) => ({ ...plan, instances: 1 }),
  (plan) => ({ ...plan, parts: { ...plan.parts, simple: false } }),
  (plan) => ({ ...plan, parts: { ...plan.parts, foreign: false } }),
  (plan) => ({ ...plan, parts: { ...plan.parts, transactions: false } }),
  (plan) => ({ ...plan, parts: { ...plan.parts, ordered: false } }),
  (plan) => ({ ...plan, impatience: 0 }),
  (plan) => ({ ...plan, failures: 0 }),
  (plan) => ({ ...plan, idStep: 2 }),
  (plan) => ({ ...plan, hasTwoAddresses: false }),
  (plan) => ({ ...plan, otherBroker: 'none', layout: 'seen' }),
  (plan) => ({ ...plan, bodyBytes: 16 }),
];
const MIN_STEP_MS = 2_000;

/** The kind of a violation: the word before the colon. */
export function kindOf(violation: string): string {
  return violation.slice(0, violation.indexOf(':'));
}

/** @param untilMs when to stop, on the clock `now` */
export async function shrink(failed: RunResult, now: () => number, untilMs: number): Promise<RunResult> {
  const kind = kindOf(failed.violations[0] ?? '');
  let best = failed;
  const attempt = async (plan: Plan): Promise<boolean> => {
    if (now() > untilMs) return false;
    const result = await runPlan(plan);
    const isSame = result.violations.some((violation) => kindOf(violation) === kind);
    if (isSame) best = result;
    return isSame;
  };
  await halve(best.plan, attempt);
  await thin(() => best.plan, attempt);
  for (const cut of CUTS) await attempt(cut(best.plan));
  await halve(best.plan, attempt);
  await thin(() => best.plan, attempt);
  return best;
}

/** Shortens the run, as long as it fails. */
async function halve(plan: Plan, attempt: (plan: Plan) => Promise<boolean>): Promise<void> {
  for (let activeMs = plan.activeMs / 2; activeMs > MIN_STEP_MS; activeMs /= 2) {
    const faults = plan.faults.filter(({ atMs }) => atMs < activeMs);
    if (!(await attempt({ ...plan, activeMs, faults }))) return;
  }
}

/** Removes faults: half of them, a quarter, down to single ones. */
async function thin(plan: () => Plan, attempt: (plan: Plan) => Promise<boolean>): Promise<void> {
  for (let size = Math.ceil(plan().faults.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let first = 0; first < plan().faults.length; ) {
      const faults = plan().faults.filter((_, index) => index < first || index >= first + size);
      if (!(await attempt({ ...plan(), faults }))) first += size;
    }
  }
}
