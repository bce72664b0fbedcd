// The job of a process that schedule-program.ts is.

import type { DatabasePlace } from '../../../tools/servers/sql-databases.js';

export interface ScheduleJob {
  readonly place: DatabasePlace;
  readonly endpoints: string;
  /** A name for its entries. */
  readonly subject: string;
  /** After how many steps it is killed; it may end earlier. */
  readonly steps: number;
}

export const REMINDERS = 'reminders';
/** When it begins, by its own clock. */
export const START_MS = Date.parse('2026-03-28T12:00:00Z');
