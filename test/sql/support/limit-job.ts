// The job of a process that consumes under a limit over its group. The process is limit-program.ts.

import type { RateLimit } from 'nestjs-rocketmq/client';
import type { DatabasePlace } from '../../../tools/servers/sql-databases.js';

export interface LimitJob {
  readonly place: DatabasePlace;
  readonly endpoints: string;
  readonly rateLimit: RateLimit;
  /** Where it appends a line for each message: when it began, in milliseconds of the clock that all processes of the machine have. */
  readonly file: string;
}

export const LIMITED = 'limited';
