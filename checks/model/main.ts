// See README.md.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from '../../scripts/build/build.js';
import type { Counts, Tools } from '../check.js';
import { newSeed } from '../options.js';
import { readFacts } from './facts.js';
import { injectFaults } from './faults.js';
import { REASONS } from './reasons.js';
import { type Figures, verdictFrom } from './verdict.js';
import { type ModelTransport, startWorld } from './world.js';

const TRANSPORTS: readonly ModelTransport[] = ['http2', 'remoting'];
const SECONDS = 60;
const LONG_SECONDS = 300;
/** All that is stored is handled within this time after the last message or the last fault. */
const SETTLED_MS = 180_000;
const POLL_MS = 2_000;
const SHOWN = 20;

interface RunOptions extends Tools {
  readonly seed: number;
  readonly seconds: number;
}

/** @returns whether nothing was found */
async function run(
  transport: ModelTransport,
  { seed, seconds, signal, print, ...tools }: RunOptions,
): Promise<boolean> {
  const folder = join(tools.folder, transport);
  mkdirSync(folder);
  const beganAtMs = performance.now();
  const log = (line: string) =>
    print(`${transport} ${((performance.now() - beganAtMs) / 1_000).toFixed(0).padStart(4)} s  ${line}`);
  const lost: string[] = [];
  const world = await startWorld({ transport, folder, seed, log, onLost: (how) => lost.push(how) });
  try {
    const faults = await injectFaults({ world, seed, lengthMs: seconds * 1_000, folder, log, signal });
    await world.stopProducers();
    log('producers have ended; waiting until everything is handled');
    await settled(folder, signal);
    await world.stop();
    const { violations, figures } = verdictFrom(readFacts(folder));
    const all = [...lost, ...violations];
    print(report(transport, faults, figures));
    for (const violation of all.slice(0, SHOWN)) print(`  VIOLATION ${violation}`);
    if (all.length > SHOWN) print(`  and ${all.length - SHOWN} more`);
    writeFileSync(join(folder, 'violations.txt'), all.join('\n'));
    return all.length === 0;
  } finally {
    await world.stop();
  }
}

/** Resolves when nothing that was stored is left, or the time is over: the verdict names what is lost. */
async function settled(folder: string, signal: AbortSignal): Promise<void> {
  const endsAtMs = performance.now() + SETTLED_MS;
  while (performance.now() < endsAtMs) {
    const { violations } = verdictFrom(readFacts(folder));
    if (!violations.some((violation) => violation.endsWith('is lost'))) return;
    await sleep(POLL_MS, undefined, { signal });
  }
}

function report(transport: ModelTransport, faults: ReadonlyMap<string, number>, figures: Figures): string {
  const { sends, stored, uncertain, rejected, handled, failed, repeated, overlapping } = figures;
  const by = (counts: ReadonlyMap<string, number>, names: readonly string[]) =>
    names.map((name) => `${name} ${counts.get(name) ?? 0}`).join(', ');
  return [
    `${transport}: ${[...faults].map(([kind, count]) => `${kind} ${count}`).join(', ')}`,
    `  sends ${sends}: stored ${stored}, uncertain ${uncertain}, rejected ${rejected}; handled ${handled}, failed ${failed}`,
    `  handled again: ${by(repeated, REASONS)}`,
    `  handled beside another of the message group: ${by(overlapping, REASONS)}`,
  ].join('\n');
}

interface ModelValues {
  readonly transport: (typeof TRANSPORTS)[number] | undefined;
  readonly seconds: number | undefined;
  readonly long: boolean;
  readonly seed: number | undefined;
}

/** @returns the transports by which all was well, and the others */
export async function runModel(values: ModelValues, tools: Tools): Promise<Counts> {
  const { seed = newSeed(), seconds = values.long ? LONG_SECONDS : SECONDS } = values;
  const transports = TRANSPORTS.filter((one) => values.transport === undefined || one === values.transport);
  await build();
  tools.print(`seed ${seed}, ${seconds} s by ${transports.join(', then by ')}`);
  const counts = { passed: 0, failed: 0 };
  for (const transport of transports) {
    const isSound = await run(transport, { ...tools, seed, seconds });
    counts[isSound ? 'passed' : 'failed']++;
  }
  return counts;
}
