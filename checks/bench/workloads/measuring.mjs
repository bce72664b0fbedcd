// What a measured process has in common with the others: its task, its clocks, the line that it prints.

import { readFileSync } from 'node:fs';
import { peakIn } from '../lib/process-usage.mjs';
import { percentile } from '../lib/statistics.mjs';

/**
 * What one process does; of the numbers it has those that its workload reads.
 * @typedef {object} Task
 * @property {string} workload
 * @property {string} endpoints
 * @property {string} topic
 * @property {string} group
 * @property {number} bodyBytes
 * @property {number} inFlight
 * @property {number} warmUp messages before those that are measured
 * @property {number} count messages that are measured
 * @property {number} seconds how long, where time is what is fixed
 * @property {number} perSecond messages, where their rate is fixed
 * @property {number} warmUpSeconds
 * @property {number} pending delayed messages that wait meanwhile
 * @property {number} starts how often a broker is started
 * @property {string} kind of the server
 * @property {readonly number[]} pids of the server
 * @property {number} [delayMs] of each message that is sent
 * @property {number} [concurrency] of the handler
 * @property {import('../columns.ts').ColumnOptions} options the column's own
 */

/** What this process is to do. From here on it ends with the one that started it. @returns {Task} */
export function taskOfProcess() {
  process.stdin.once('end', () => process.exit(1)).resume();
  return JSON.parse(process.argv[2] ?? '');
}

/** Prints what was measured, for the process that started this one. @param {object} figures */
export function report(figures) {
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}

/** Not by `process.resourceUsage()`, which counts what the process that started this one had in memory. Undefined except on Linux. */
function ownPeakBytes() {
  return process.platform === 'linux' ? peakIn(readFileSync('/proc/self/status', 'utf8')) : undefined;
}

/** Measures from its making on: real time, the CPU time of this process in user and system mode, latencies. */
export class Meter {
  /** @type {number[]} */
  #latencies = [];
  #cpu = process.cpuUsage();
  #began = performance.now();

  /** @param {number} ms */
  latency(ms) {
    this.#latencies.push(ms);
  }

  /** @param {number} messages since the making */
  figures(messages) {
    const seconds = (performance.now() - this.#began) / 1000;
    const { user, system } = process.cpuUsage(this.#cpu);
    const sorted = Float64Array.from(this.#latencies).sort();
    return {
      messages,
      seconds,
      perSecond: messages / seconds,
      cpuMicros: (user + system) / messages,
      cpuPercent: (user + system) / seconds / 10_000,
      residentBytes: process.memoryUsage.rss(),
      peakBytes: ownPeakBytes(),
      ...(sorted.length === 0 ? {} : { p50Ms: percentile(sorted, 50), p99Ms: percentile(sorted, 99) }),
    };
  }
}

/** Measures a drain from the first message after the warm-up to the last that counts. */
export class DrainMeter {
  #warmUp;
  #count;
  #handled = 0;
  /** @type {Meter | undefined} */
  #meter;
  /** @type {(figures: object) => void} */
  #finish = () => {};
  /** @type {Promise<object>} */
  figures = new Promise((resolve) => {
    this.#finish = resolve;
  });

  /** @param {{ warmUp: number, count: number }} task */
  constructor({ warmUp, count }) {
    this.#warmUp = warmUp;
    this.#count = count;
  }

  /** @param {number} messages that were handled now */
  add(messages) {
    this.#handled += messages;
    if (this.#meter === undefined && this.#handled >= this.#warmUp) {
      this.#meter = new Meter();
      this.#handled = 0;
    } else if (this.#meter !== undefined && this.#handled >= this.#count) {
      this.#finish(this.#meter.figures(this.#handled));
      this.#count = Number.POSITIVE_INFINITY;
    }
  }
}
