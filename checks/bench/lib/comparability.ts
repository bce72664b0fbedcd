// Whether the machine of a run measures the other clients like the machine that the goals were set on.

import type { Figures } from './figures.js';

/** How much less than the lowest, or more than the highest, a figure may be. */
const TOLERANCE = 0.3;

/**
 * CPU µs per message on a 5.5.0 server, 1 KiB, 8 queues, two quiet cores that it shared with the server; 2 to 5 rounds.
 * Java was 5.0.8, Node 1.0.8. The floors are shown beside them and decide nothing.
 */
const MEASURED = [
  { section: 'send-64', column: 'node', low: 117, high: 121 },
  { section: 'send-64', column: 'java', low: 41, high: 79 },
  { section: 'send-64', column: 'raw', low: 76, high: 93 },
  { section: 'send-64', column: 'lean', low: 40, high: 47 },
  { section: 'send-512', column: 'node', low: 146, high: 160 },
  { section: 'send-512', column: 'java', low: 45, high: 69 },
  { section: 'send-512', column: 'raw', low: 101, high: 105 },
  { section: 'send-512', column: 'lean', low: 51, high: 51 },
  { section: 'drain', column: 'node', low: 133, high: 154 },
  { section: 'drain', column: 'java', low: 181, high: 181 },
  { section: 'drain', column: 'raw', low: 36, high: 40 },
  { section: 'drain', column: 'lean', low: 22, high: 25 },
];
const RIVALS = new Set(['node', 'java']);

export function isWithin(figure: number, { low, high }: { low: number; high: number }): boolean {
  return figure >= low * (1 - TOLERANCE) && figure <= high * (1 + TOLERANCE);
}

/** @returns undefined when no rival was measured */
export function comparability(figures: Figures): {
  rows: { section: string; column: string; then: string; now: number; isWithin: boolean; decides: boolean }[];
  isComparable: boolean | undefined;
} {
  const rows = MEASURED.flatMap(({ section, column, low, high }) => {
    const now = figures.summary(section, column, 'cpuMicros')?.median;
    if (now === undefined) return [];
    const then = low === high ? String(low) : `${low}-${high}`;
    return [{ section, column, then, now, isWithin: isWithin(now, { low, high }), decides: RIVALS.has(column) }];
  });
  const deciding = rows.filter(({ decides }) => decides);
  return { rows, isComparable: deciding.length === 0 ? undefined : deciding.every((row) => row.isWithin) };
}
