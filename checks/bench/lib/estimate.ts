// How long a run will take, roughly: by what the clients did on the machine that the goals were set on.

import type { Column } from '../columns.js';
import type { SectionTask } from '../section.js';

type ByProgram = Record<string, number> & { default: number };

/** To start a client and to end it, to make its topic and its group. */
const START_SECONDS = { java: 2.5, default: 1.5 };
/** A client is given this long before an idle time. */
const SETTLE_SECONDS = 5;
const FILLED_PER_SECOND = 40_000;
/** Of 1 KiB, on two quiet cores that client and server share; by workload. */
const PER_SECOND: Record<string, ByProgram> = {
  send: { 'rocketmq-client-nodejs.mjs': 7_000, java: 12_000, default: 12_000 },
  oneAtATime: { default: 2_500 },
  drain: { 'rocketmq-client-nodejs.mjs': 5_500, java: 6_000, default: 9_000 },
};
/** What a body of 64 KiB takes beside one of 1 KiB. */
const LARGE_BYTES = 16 * 1024;
const LARGE_FACTOR = 6;

/** @returns seconds */
export function secondsOf({ program, warmUpFactor = {}, options = {} }: Column, task: SectionTask): number {
  const { workload, inFlight, bodyBytes = 0, warmUp = 0, count = 0, seconds, warmUpSeconds = 0, about } = task;
  if (about !== undefined) return about;
  const start = ofProgram(START_SECONDS, program) + filling(task);
  if (seconds !== undefined) return start + seconds + warmUpSeconds + (workload === 'idle' ? SETTLE_SECONDS : 0);
  // A column with more messages than others takes as long as they do.
  const messages = count + warmUp * (warmUpFactor[workload] ?? 1);
  const rates = PER_SECOND[workload === 'send' && inFlight === 1 ? 'oneAtATime' : workload];
  if (rates === undefined) throw new Error(`how long ${workload} takes is not known`);
  const perSecond = ofProgram(rates, program);
  const { perRequest = options.perRequest ?? 1 } = task;
  return start + (messages * (bodyBytes >= LARGE_BYTES ? LARGE_FACTOR : 1)) / (perSecond * Math.min(perRequest, 6));
}

function filling({ workload, warmUp = 0, count = 0 }: SectionTask): number {
  return ['drain', 'backlog'].includes(workload) ? (warmUp + count) / FILLED_PER_SECOND : 0;
}

function ofProgram(table: ByProgram, program: string): number {
  return table[program] ?? table.default;
}
