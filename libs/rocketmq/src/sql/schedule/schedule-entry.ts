// An entry as it is given, and when it is due.

import { UsageError } from '../../support/errors.js';
import { checkedElsewhere, type OptionChecks } from '../../support/options.js';
import type { OutboxMessage } from '../outbox-message.js';
import { type CronRule, nextTickMs } from './cron.js';

/** A message and when to send it: exactly one of `deliverAt`, `delayMs` and `cron`. */
export interface ScheduleEntry {
  /**
   * Identifies the entry, such as `order-17:reminder`: 1 to 255 bytes without white space. An entry with the same key is replaced.
   */
  readonly key: string;
  /** The message, without a delivery time of its own. Its topic is of the type that it has without a delay: normal, FIFO, priority or lite. */
  readonly message: Omit<OutboxMessage, 'deliverAt' | 'delayMs'>;
  /** Sends it once, then: at any time up to the year 9999. A time that has passed sends it at once. Default: none. */
  readonly deliverAt?: Date;
  /** Sends it once, so many milliseconds after the call. Default: none. */
  readonly delayMs?: number;
  /**
   * Sends it at each tick of a cron expression of five fields, or six with seconds, by the package `cron-parser`, which must be installed:
   * `0 3 * * *` is each night at three. Default: none.
   */
  readonly cron?: string;
  /** The time zone of `cron`, such as `Europe/Berlin`. Default `UTC`. */
  readonly timeZone?: string;
}

/** The values are checked where they are read. A misspelled time zone would be UTC. */
export const ENTRY_CHECKS: OptionChecks<ScheduleEntry> = {
  key: checkedElsewhere,
  message: checkedElsewhere,
  deliverAt: checkedElsewhere,
  delayMs: checkedElsewhere,
  cron: checkedElsewhere,
  timeZone: checkedElsewhere,
};

/** The end of what an ISO date has four digits for. */
const MAX_DUE_MS = Date.UTC(9999, 11, 31);

/** @throws UsageError that names the field */
export async function dueAtMsOf(
  { key, message, deliverAt, delayMs, timeZone }: ScheduleEntry,
  rule: CronRule | undefined,
  nowMs: number,
): Promise<number> {
  const reject = (field: string, problem: string): never => {
    const text = `entry "${key}" of the schedule: ${field} ${problem}; nothing was scheduled`;
    throw new UsageError('ILLEGAL_DELIVERY_TIME', text, field);
  };
  const own = (['deliverAt', 'delayMs'] as const).find((field) => (message as OutboxMessage)[field] !== undefined);
  if (own !== undefined) reject(`message.${own}`, `cannot be used here; set ${own} of the entry`);
  if ([deliverAt, delayMs, rule].filter((time) => time !== undefined).length !== 1) {
    reject('deliverAt', 'or delayMs or cron must be set, and only one of them');
  }
  if (rule !== undefined) return nextTickMs(rule, nowMs);
  if (timeZone !== undefined) reject('timeZone', 'is for cron only; a date or a delay has none');
  if (deliverAt !== undefined) {
    const isDate = deliverAt instanceof Date && deliverAt.getTime() <= MAX_DUE_MS;
    return isDate ? Math.max(0, deliverAt.getTime()) : reject('deliverAt', 'must be a valid date up to the year 9999');
  }
  const dueAtMs = nowMs + Number(delayMs);
  const isDelay = typeof delayMs === 'number' && delayMs >= 0 && dueAtMs <= MAX_DUE_MS;
  return isDelay
    ? Math.ceil(dueAtMs)
    : reject('delayMs', 'must be a number of at least 0 that leads to a date up to the year 9999');
}
