// What is done to processes, one after another in each of two rows: servers and members. The seed decides what, and for how long.

import { setTimeout as sleep } from 'node:timers/promises';
import { below, type Chance, oneOf, seededRandom } from '../../tools/random.js';
import { FactFile, nowMs } from './facts.js';
import { LEASE_MS } from './member-options.js';
import type { Target, World } from './world.js';

const PAUSE_MS = { least: 1_000, most: 5_000 };
const DOWN_MS = { least: 0, most: 5_000 };
const STOP_MS = { least: 500, most: 4_000 };
const LONG_STOP_MS = { least: LEASE_MS + 1_000, most: LEASE_MS + 4_000 };
/** One in this many stops outlasts a lease. */
const LONG_ONE_OF = 3;

export interface FaultOptions {
  readonly world: World;
  readonly seed: number;
  readonly lengthMs: number;
  readonly folder: string;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Resolves when the time is over and all processes run again. @returns how often each kind was done */
export async function injectFaults({
  world,
  seed,
  lengthMs,
  folder,
  log,
  signal,
}: FaultOptions): Promise<Map<string, number>> {
  const facts = new FactFile(folder, 'faults');
  const counts = new Map<string, number>();
  const endsAtMs = nowMs() + lengthMs;
  const row = async (targets: readonly Target[], chance: Chance): Promise<void> => {
    for (;;) {
      await sleep(between(chance, PAUSE_MS), undefined, { signal });
      if (nowMs() > endsAtMs) return;
      const target = oneOf(chance, targets);
      const what = oneOf(chance, ['kill', 'stop'] as const);
      const isLong = what === 'stop' && below(chance, LONG_ONE_OF) === 0;
      const forMs = between(chance, what === 'kill' ? DOWN_MS : isLong ? LONG_STOP_MS : STOP_MS);
      const by = target.by();
      const fromMs = nowMs();
      log(`${what} ${by} for ${(forMs / 1_000).toFixed(1)} s`);
      await (what === 'kill' ? target.kill(forMs) : stopFor(target, forMs, signal));
      facts.add({ kind: 'fault', what, target: by, fromMs, toMs: nowMs() });
      const kind = `${what} ${target.name.replace(/-\d+$/, '')}`;
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
  };
  try {
    await Promise.all([row(world.servers, seededRandom(seed)), row(world.members, seededRandom(seed + 1))]);
  } finally {
    facts.close();
  }
  return counts;
}

async function stopFor(target: Target, forMs: number, signal: AbortSignal): Promise<void> {
  target.pause();
  try {
    await sleep(forMs, undefined, { signal });
  } finally {
    target.continue();
  }
}

function between(chance: Chance, { least, most }: { readonly least: number; readonly most: number }): number {
  return least + below(chance, most - least + 1);
}
