// `npm run model`: see README.md.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { build } from '../../scripts/build/build.mjs';
import { readFacts } from './facts.js';
import { strike } from './faults.js';
import { type Figures, judge, REASONS } from './verdict.js';
import { type ModelTransport, startWorld } from './world.js';

const USAGE = `npm run model -- [options]
  --transport T   http2 (by a proxy) or remoting (by name server); default: both, one after the other
  --seconds N     how long processes are killed and stopped, for each transport (default 60)
  --long          five minutes
  --seed N        repeats what is done to which process (default: a new one)`;
const TRANSPORTS: readonly ModelTransport[] = ['http2', 'remoting'];
const SECONDS = 60;
const LONG_SECONDS = 300;
/** All that is stored is handled within this time after the last message or the last fault. */
const SETTLED_MS = 180_000;
const POLL_MS = 2_000;
const SHOWN = 20;

const print = (line: string): void => void process.stdout.write(`${line}\n`);

interface RunOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly signal: AbortSignal;
}

/** @returns whether nothing was found */
async function run(transport: ModelTransport, { seed, seconds, signal }: RunOptions): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'model-'));
  const beganAtMs = performance.now();
  const log = (line: string) =>
    print(`${transport} ${((performance.now() - beganAtMs) / 1_000).toFixed(0).padStart(4)} s  ${line}`);
  const lost: string[] = [];
  const world = await startWorld({ transport, folder, seed, log, onLost: (how) => lost.push(how) });
  let isSound = false;
  try {
    const faults = await strike({ world, seed, lengthMs: seconds * 1_000, folder, log, signal });
    await world.stopProducers();
    log('producers have ended; waiting until everything is handled');
    await settled(folder, signal);
    await world.stop();
    const { violations, figures } = judge(readFacts(folder));
    const all = [...lost, ...violations];
    print(report(transport, faults, figures));
    for (const violation of all.slice(0, SHOWN)) print(`  VIOLATION ${violation}`);
    if (all.length > SHOWN) print(`  and ${all.length - SHOWN} more`);
    isSound = all.length === 0;
    writeFileSync(join(folder, 'violations.txt'), all.join('\n'));
  } finally {
    await world.stop();
    if (isSound) rmSync(folder, { recursive: true, force: true });
    else print(`  facts and logs: ${folder}`);
  }
  return isSound;
}

/** Resolves when nothing that was stored is left, or the time is over: the verdict names what is lost. */
async function settled(folder: string, signal: AbortSignal): Promise<void> {
  const endsAtMs = performance.now() + SETTLED_MS;
  while (performance.now() < endsAtMs) {
    const { violations } = judge(readFacts(folder));
    if (!violations.some((violation) => violation.endsWith('is lost'))) return;
    await sleep(POLL_MS, undefined, { signal });
  }
}

function report(transport: ModelTransport, faults: ReadonlyMap<string, number>, figures: Figures): string {
  const { sends, stored, uncertain, refused, handled, failed, repeated, overlapping } = figures;
  const by = (counts: ReadonlyMap<string, number>, names: readonly string[]) =>
    names.map((name) => `${name} ${counts.get(name) ?? 0}`).join(', ');
  return [
    `${transport}: ${[...faults].map(([kind, count]) => `${kind} ${count}`).join(', ')}`,
    `  sends ${sends}: stored ${stored}, uncertain ${uncertain}, refused ${refused}; handled ${handled}, failed ${failed}`,
    `  handled again: ${by(repeated, REASONS)}`,
    `  handled beside another of the message group: ${by(overlapping, REASONS)}`,
  ].join('\n');
}

const { values } = parseArgs({
  options: {
    transport: { type: 'string' },
    seconds: { type: 'string' },
    seed: { type: 'string' },
    long: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  print(USAGE);
} else {
  const transports = TRANSPORTS.filter((one) => values.transport === undefined || one === values.transport);
  if (transports.length === 0) throw new Error(`--transport is http2 or remoting, not "${values.transport}"`);
  const seconds = Number(values.seconds ?? (values.long ? LONG_SECONDS : SECONDS));
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  if (!Number.isInteger(seconds) || seconds < 1) throw new Error('--seconds must be an integer of at least 1');
  if (!Number.isInteger(seed) || seed < 0) throw new Error('--seed must be an integer of at least 0');
  const stopped = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => stopped.abort(new Error(`stopped by ${signal}`)));
  }
  await build();
  print(`seed ${seed}, ${seconds} s by ${transports.join(', then by ')}`);
  let unsound = 0;
  for (const transport of transports) {
    if (!(await run(transport, { seed, seconds, signal: stopped.signal }))) unsound++;
  }
  print(`${transports.length - unsound} passed, ${unsound} failed`);
  process.exitCode = unsound === 0 ? 0 : 1;
}
