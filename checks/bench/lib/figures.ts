// The figures of a run, by section, column and round; and how each kind is written.

import type { Figure } from '../section.js';
import { median } from './statistics.mjs';

/** Over the rounds. */
export type Measured = Partial<Record<Figure, number>> & { messages?: number; seconds?: number; version?: string };

export interface Run {
  section: string;
  column: string;
  round: number;
  load: number;
  figures?: Measured;
  error?: string;
}

export interface Summary {
  median: number;
  least: number;
  most: number;
}

export const KINDS: Record<Figure, { label: string; write: (value: number) => string }> = {
  cpuMicros: { label: 'CPU µs/message', write: (value) => value.toFixed(1) },
  perSecond: { label: 'messages/s', write: (value) => Math.round(value).toLocaleString('en') },
  p50Ms: { label: 'p50 ms', write: (value) => value.toFixed(2) },
  p99Ms: { label: 'p99 ms', write: (value) => value.toFixed(2) },
  residentBytes: { label: 'resident MB', write: (value) => (value / 1024 / 1024).toFixed(0) },
  peakBytes: { label: 'peak MB', write: (value) => (value / 1024 / 1024).toFixed(0) },
  cpuPercent: { label: '% of a core', write: (value) => value.toFixed(2) },
  serverMicros: { label: 'server CPU µs/message', write: (value) => value.toFixed(1) },
  serverBytes: { label: 'server resident MB', write: (value) => (value / 1024 / 1024).toFixed(0) },
  requireMs: { label: 'require() ms', write: (value) => value.toFixed(0) },
  importMs: { label: 'import() ms', write: (value) => value.toFixed(0) },
  startMs: { label: 'start to first send ms', write: (value) => value.toFixed(0) },
  share: { label: 'messages/s, with to without', write: (value) => value.toFixed(2) },
  cpuShare: { label: 'server CPU, with to without', write: (value) => value.toFixed(2) },
  latestMs: { label: 'latest ms after its time', write: (value) => value.toFixed(0) },
  advanceSeconds: { label: 'seconds', write: (value) => value.toFixed(2) },
  heapGrowthBytes: { label: 'heap growth MB', write: (value) => (value / 1024 / 1024).toFixed(1) },
};

export class Figures {
  #runs;

  constructor(runs: readonly Run[]) {
    this.#runs = runs;
  }

  /** @returns by round; undefined where the column failed, or was not there */
  byRound(section: string, column: string, kind: Figure): (number | undefined)[] {
    const rounds = 1 + Math.max(-1, ...this.#runs.map(({ round }) => round));
    return Array.from({ length: rounds }, (_, round) => {
      const run = this.#runs.find((one) => one.section === section && one.column === column && one.round === round);
      return run?.figures?.[kind];
    });
  }

  summary(section: string, column: string, kind: Figure): Summary | undefined {
    const values = this.byRound(section, column, kind).filter((value) => value !== undefined);
    if (values.length === 0) return undefined;
    return { median: median(values), least: Math.min(...values), most: Math.max(...values) };
  }

  /** @returns the columns that ran in it, in their order there */
  columnsOf(section: string): string[] {
    return [...new Set(this.#runs.filter((run) => run.section === section).map(({ column }) => column))];
  }

  /** The version that each column reports; `true` if it ran but reports none. */
  versions(): Record<string, string | true> {
    return Object.fromEntries(
      this.#runs.flatMap(({ column, figures }) => (figures === undefined ? [] : [[column, figures.version ?? true]])),
    );
  }

  failures() {
    return this.#runs.filter(({ error }) => error !== undefined);
  }
}
