// `npm run simulate`: runs seeds until the time is over, says what they showed, and cuts a failing one down.

import './platform/machine.js';
import { parseArgs } from 'node:util';
import { planOf } from './plan.js';
import { runPlan } from './run.js';

const now = (): number => Number(process.hrtime.bigint() / 1000n) / 1000;
const { values } = parseArgs({
  options: { seed: { type: 'string' }, seconds: { type: 'string' }, trace: { type: 'boolean' } },
});
const first = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const started = now();
let virtualMs = 0;
let count = 0;
let failed = 0;
const budgetMs = Number(values.seconds ?? 10) * 1000;
for (let seed = first; ; seed++) {
  const plan = planOf(seed);
  const result = await runPlan(plan, values.trace ? (line) => console.log(line) : undefined);
  count++;
  virtualMs += result.virtualMs;
  const kinds = [...result.struck].map(([kind, times]) => `${times} ${kind}`).join(', ');
  console.log(`${seed} ${result.hash} ${result.events} events, ${result.sends} sends, ${result.handlings} handlings; ${kinds}`);
  for (const violation of result.violations.slice(0, 8)) console.log(`    ${violation}`);
  if (result.violations.length > 0) failed++;
  if (values.seed !== undefined && values.seconds === undefined) break;
  if (now() - started > budgetMs) break;
}
const minutes = (now() - started) / 60_000;
console.log(`${count} seeds, ${failed} failed, ${(virtualMs / 3_600_000).toFixed(1)} virtual hours, ${(virtualMs / 3_600_000 / minutes).toFixed(0)} a minute`);
