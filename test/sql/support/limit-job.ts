// The job of a process that consumes under limits over its groups. The process is limit-program.ts.

import type { RateLimit } from 'nestjs-rocketmq/client';
import type { DatabasePlace } from '../../../tools/servers/sql-databases.js';

export interface LimitJob {
  readonly place: DatabasePlace;
  readonly endpoints: string;
  readonly rateLimit: RateLimit;
  readonly groupConcurrency: number;
  /** Where it appends a line for each message of {@link LIMITED}: when it began, in milliseconds of the clock that all processes of the machine have. */
  readonly file: string;
  /** Where it appends a line for each beginning and each end of a handler of {@link TOGETHER}: when, and which. */
  readonly runs: string;
}

/** The topic and group with the rate limit. */
export const LIMITED = 'limited';
/** The topic and group with the limit on concurrent handlers. */
export const TOGETHER = 'together';
