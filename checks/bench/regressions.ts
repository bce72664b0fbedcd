// Whether the library has become slower: what it costs beside others in the same round, compared with what it cost when that was committed.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Figures } from './lib/figures.js';
import { medianRatio } from './lib/statistics.mjs';

export const KEPT_FILE = join(import.meta.dirname, 'ratios.json');
export const WATCHED = { sections: ['send-64', 'drain'], columns: ['ours', 'lean', 'node'] };
/** The share of the messages of a whole run. */
export const SCALE = 0.5;
export const ROUNDS = 3;
/**
 * How much worse a median gets by chance: on a machine with other work the ratios were up to 15 % off those of a quiet one. Between machines they differ more:
 * the same code sent at 0.28 × the lean loop's CPU on one and at 0.40 on another. The file has the largest.
 */
const NOISE = 0.25;

/** CPU time per message, ours to that of the column: by section, then by column. */
type Ratios = Record<string, Record<string, number>>;

/** @throws Error when a column has failed */
export function ratiosOf(figures: Figures): Ratios {
  const [failure] = figures.failures();
  if (failure !== undefined) throw new Error(`${failure.section}, ${failure.column}: ${failure.error}`);
  const [own = '', ...others] = WATCHED.columns;
  const cpuOf = (section: string, column: string) => figures.byRound(section, column, 'cpuMicros');
  return Object.fromEntries(
    WATCHED.sections.map((section) => {
      const ratios = others.map((other) => [other, medianRatio(cpuOf(section, own), cpuOf(section, other)) ?? 0]);
      return [section, Object.fromEntries(ratios)];
    }),
  );
}

/** @returns a line for each ratio that is worse than noise explains */
export function regressions(now: Ratios, kept: Ratios): string[] {
  return Object.entries(kept).flatMap(([section, ratios]) =>
    Object.entries(ratios).flatMap(([column, before]) => {
      const ratio = now[section]?.[column] ?? Number.NaN;
      if (ratio <= before * (1 + NOISE)) return [];
      return [`${section}: ${ratio.toFixed(2)} × the CPU time of ${column}, committed ${before.toFixed(2)} ×`];
    }),
  );
}

export function keptRatios(): Ratios {
  return JSON.parse(readFileSync(KEPT_FILE, 'utf8'));
}

export function keep(ratios: Ratios): void {
  const rounded = JSON.stringify(
    ratios,
    (_, value) => (typeof value === 'number' ? Number(value.toFixed(3)) : value),
    2,
  );
  writeFileSync(KEPT_FILE, `${rounded}\n`);
}
