// The ticks of a cron expression. The package cron-parser finds them on a wall clock without changes, because around a change of the clocks
// it loses ticks in some time zones. Which instants those wall-clock times are is decided here.

import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import { UsageError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import { describe } from '../../support/options.js';

/** When an entry is repeated. */
export interface CronRule {
  /** Of the entry: `H` in an expression stands for a number that is derived from it. */
  readonly key: string;
  readonly cron: string;
  readonly timeZone: string;
}

type CronParser = Pick<typeof import('cron-parser'), 'CronDate' | 'CronExpressionParser'>;

/** An expression on the wall clock. A wall-clock time is in milliseconds, as if it were UTC: the instant plus the offset of the zone. */
interface WallClock {
  /** Whether the expression names all hours of the day, such as `*`: then it also ticks in an hour that is repeated. */
  readonly isHourly: boolean;
  /** The first tick after a wall-clock time. */
  readonly nextMs: (wallMs: number) => number;
}

type Offsets = (timeMs: number) => number;

/** What the tables have room for. */
const MAX_CRON_LENGTH = 255;

/**
 * The first tick after `afterMs`. It depends on the rule only: all instances compute the same ticks, whenever they ask.
 * @throws UsageError `ILLEGAL_CRON` for an expression without a next tick, or an unknown time zone; `PACKAGE_MISSING`
 */
export async function nextTickMs(
  { key, cron, timeZone }: CronRule,
  afterMs: number,
  load: () => Promise<CronParser> = () => import('cron-parser'),
): Promise<number> {
  // A column of MySQL is in ASCII, and cron-parser would accept any Unicode white space.
  const isStorable = typeof cron === 'string' && cron.length <= MAX_CRON_LENGTH && /^[\t\n\r -~]*$/.test(cron);
  const fields = isStorable ? cron.trim() : '';
  // cron-parser would complete a shorter expression, to one that means something else.
  if (!fields.startsWith('@') && ![5, 6].includes(fields.split(/\s+/).length)) {
    throw illegal(
      'cron',
      cron,
      `it must have five fields, or six with seconds, or be a name such as @daily, in at most ${MAX_CRON_LENGTH} ASCII characters, which a ` +
        'no-break space is not',
    );
  }
  const { CronDate, CronExpressionParser } = await loaded(load);
  const offsetAt = offsetsOf(timeZone);
  try {
    const ticks = CronExpressionParser.parse(fields, { currentDate: new Date(afterMs), tz: 'UTC', hashSeed: key });
    const nextMs = (wallMs: number): number => {
      // With a Date, cron-parser before 5.6 would go on in the time zone of the process.
      ticks.reset(new CronDate(new Date(wallMs), 'UTC'));
      return ticks.next().getTime();
    };
    return firstTickMs({ isHourly: ticks.fields.hour.values.length === 24, nextMs }, offsetAt, afterMs);
  } catch (error) {
    throw illegal('cron', cron, describeError(error));
  }
}

function firstTickMs(wallClock: WallClock, offsetAt: Offsets, afterMs: number): number {
  let fromMs = afterMs;
  while (true) {
    const untilMs = fromMs + 2 * DAY_MS;
    const tickMs = tickNearMs(wallClock, offsetAt, fromMs, untilMs);
    if (tickMs <= untilMs) return tickMs;
    // Offsets are shorter than a day, so a tick is less than a day from its wall-clock time: those after `untilMs` have wall-clock times from a
    // day before it on, and the first of them is in the next window.
    fromMs = Math.max(untilMs, wallClock.nextMs(untilMs - DAY_MS) - DAY_MS);
  }
}

/**
 * The first tick after `fromMs`, in at most two steps of the expression. A result after `untilMs` says only that there is none before it.
 * A change of the clocks has effects for as long as what it skips or repeats, which is a day at most, so a window that begins a day before
 * `fromMs` has all changes that matter. No zone changes its clocks twice within such a window of three days.
 */
function tickNearMs({ isHourly, nextMs }: WallClock, offsetAt: Offsets, fromMs: number, untilMs: number): number {
  const before = offsetAt(fromMs - DAY_MS);
  const after = offsetAt(untilMs);
  const beforeTickMs = nextMs(fromMs + before) - before;
  if (before === after) return beforeTickMs;
  const changeMs = changeBetween(offsetAt, fromMs - DAY_MS, untilMs);
  const skippedMs = Math.max(0, after - before);
  const repeatedMs = isHourly ? 0 : Math.max(0, before - after);
  // With the offset from before the change, a skipped time is later by the length of the change. So skipped times and those that follow them
  // are at the same instants, and either can be the next.
  const afterTickMs = nextMs(Math.max(fromMs, changeMs - 1 + repeatedMs) + after) - after;
  return beforeTickMs < changeMs + skippedMs ? Math.min(beforeTickMs, afterTickMs) : afterTickMs;
}

/** The first instant with the offset of `highMs`. */
function changeBetween(offsetAt: Offsets, lowMs: number, highMs: number): number {
  const after = offsetAt(highMs);
  let low = lowMs;
  let high = highMs;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(middle) === after) high = middle;
    else low = middle;
  }
  return high;
}

/** What the clocks of a zone are ahead of UTC, in milliseconds. */
function offsetsOf(timeZone: string): Offsets {
  const format = formatOf(timeZone);
  return (timeMs) => {
    // Such as "3/29/2026, GMT+01:00"; GMT alone is 0, and offsets of the past have seconds.
    const [, offset = ''] = format.format(timeMs).split('GMT');
    const [hours = 0, minutes = 0, seconds = 0] = offset.slice(1).split(':').map(Number);
    const offsetMs = hours * HOUR_MS + minutes * MINUTE_MS + seconds * SECOND_MS;
    return offset.startsWith('-') ? -offsetMs : offsetMs;
  };
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
  } catch (error) {
    throw illegal('timeZone', timeZone, `${describeError(error)}; use a name such as Europe/Berlin`);
  }
}

function illegal(field: 'cron' | 'timeZone', value: unknown, problem: string): UsageError {
  return new UsageError('ILLEGAL_CRON', `${field} is ${describe(value)}: ${problem}; the schedule is unchanged`, field);
}

async function loaded(load: () => Promise<CronParser>): Promise<CronParser> {
  try {
    return await load();
  } catch (cause) {
    const text = `cron needs the package cron-parser, which cannot be loaded (${describeError(cause)})`;
    throw new UsageError(
      'PACKAGE_MISSING',
      `${text}; the schedule is unchanged; install it with: npm install cron-parser@5`,
      'cron',
      {
        cause,
      },
    );
  }
}
