// The figures of a run, by section, column and round; and how each kind is written.

import { median } from './statistics.mjs';

/**
 * @typedef {import('../sections.mjs').Figure} Figure
 *
 * What a process has measured.
 * @typedef {Partial<Record<Figure, number>> & { messages?: number, seconds?: number, version?: string }} Measured
 *
 * Over the rounds.
 * @typedef {{ median: number, least: number, most: number }} Summary
 */

/** @type {Record<Figure, { label: string, write: (value: number) => string }>} */
export const KINDS = {
  cpuMicros: { label: 'CPU µs/message', write: (value) => value.toFixed(1) },
  perSecond: { label: 'messages/s', write: (value) => Math.round(value).toLocaleString('en') },
  p50Ms: { label: 'p50 ms', write: (value) => value.toFixed(2) },
  p99Ms: { label: 'p99 ms', write: (value) => value.toFixed(2) },
  residentBytes: { label: 'resident MB', write: (value) => (value / 1024 / 1024).toFixed(0) },
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

  /** @param {readonly import('./rounds.mjs').Run[]} runs */
  constructor(runs) {
    this.#runs = runs;
  }

  /**
   * @param {string} section @param {string} column @param {Figure} kind
   * @returns {(number | undefined)[]} by round; undefined where the column failed, or was not there
   */
  byRound(section, column, kind) {
    const rounds = 1 + Math.max(-1, ...this.#runs.map(({ round }) => round));
    return Array.from({ length: rounds }, (_, round) => {
      const run = this.#runs.find((one) => one.section === section && one.column === column && one.round === round);
      return run?.figures?.[kind];
    });
  }

  /** @param {string} section @param {string} column @param {Figure} kind @returns {Summary | undefined} */
  summary(section, column, kind) {
    const values = this.byRound(section, column, kind).filter((value) => value !== undefined);
    if (values.length === 0) return undefined;
    return { median: median(values), least: Math.min(...values), most: Math.max(...values) };
  }

  /** @param {string} section @returns {string[]} the columns that ran in it, in their order there */
  columnsOf(section) {
    return [...new Set(this.#runs.filter((run) => run.section === section).map(({ column }) => column))];
  }

  /** The version that each column reports; `true` if it ran but reports none. @returns {Record<string, string | true>} */
  versions() {
    return Object.fromEntries(
      this.#runs.flatMap(({ column, figures }) => (figures === undefined ? [] : [[column, figures.version ?? true]])),
    );
  }

  failures() {
    return this.#runs.filter(({ error }) => error !== undefined);
  }
}
