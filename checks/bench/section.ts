// What a section is. Which there are is sections.ts.

import type { ColumnOptions } from './columns.js';

/** Numbers, some for each workload. */
export type Figure =
  | 'cpuMicros'
  | 'perSecond'
  | 'p50Ms'
  | 'p99Ms'
  | 'residentBytes'
  | 'peakBytes'
  | 'cpuPercent'
  | 'heapGrowthBytes'
  | 'serverMicros'
  | 'serverBytes'
  | 'startMs'
  | 'requireMs'
  | 'importMs'
  | 'share'
  | 'cpuShare'
  | 'latestMs'
  | 'advanceSeconds';

/** `about`: the seconds that it takes, where they do not follow from the others. */
export interface SectionTask {
  workload: string;
  inFlight?: number;
  bodyBytes?: number;
  warmUp?: number;
  count?: number;
  seconds?: number;
  warmUpSeconds?: number;
  perSecond?: number;
  starts?: number;
  pending?: number;
  about?: number;
  perRequest?: number;
  concurrency?: number;
}

export interface Section {
  /** `--only` takes it, and whatever it begins with: `send` takes all sends. */
  id: string;
  title: string;
  columns: readonly string[];
  /** What its table shows. */
  figures: readonly Figure[];
  /** What every process gets, beside endpoints and names. */
  task: SectionTask;
  /** The task with --quick; without it, --quick leaves the section out. */
  quickTask?: SectionTask;
  /** With --quick; default: those of `columns` that are quick to get. */
  quickColumns?: readonly string[];
  /** On brokers of 4.x, which have no proxy and no POP, with --version; default: on a server with a proxy. */
  isOf4x?: boolean;
  /** Only with --long. */
  isLong?: boolean;
  /** Only in the first round: it takes long, and what it compares it does in one process. */
  isOnce?: boolean;
  /** Of the program, instead of those of its columns. */
  options?: ColumnOptions;
  /** Instead of that of its columns. */
  program?: string;
  /** The program starts what it measures: no server is started for it. */
  startsItself?: boolean;
  nodeFlags?: readonly string[];
}
