// The ticks of a cron expression, by the package cron-parser.

import { HOUR_MS } from '../support/clock.js';
import { UsageError } from '../support/errors.js';
import { describeError } from '../support/logger.js';
import { describe } from '../support/options.js';

/** When an entry is repeated. */
export interface CronRule {
  /** Of the entry: `H` in an expression stands for a number that is derived from it. */
  readonly key: string;
  readonly cron: string;
  readonly timeZone: string;
}

type CronParser = Pick<typeof import('cron-parser'), 'CronExpressionParser'>;

/** What the tables have room for. */
const LONGEST_CRON = 255;

/** No zone sets its clocks back or forward by more. */
const LONGEST_CHANGE_MS = 3 * HOUR_MS;

/**
 * The first tick after `afterMs`. It depends on the rule only: all instances compute the same ticks, whenever they ask.
 * @throws UsageError `ILLEGAL_CRON` for an expression without a next tick, or an unknown time zone; `PACKAGE_MISSING`
 */
export async function nextTickMs(
  { key, cron, timeZone }: CronRule,
  afterMs: number,
  load: () => Promise<CronParser> = () => import('cron-parser'),
): Promise<number> {
  const fields = typeof cron === 'string' && cron.length <= LONGEST_CRON ? cron.trim() : '';
  // cron-parser would complete a shorter expression, to one that means something else.
  if (!fields.startsWith('@') && ![5, 6].includes(fields.split(/\s+/).length)) {
    throw illegal(
      'cron',
      cron,
      `it must have five fields, or six with seconds, or be a name such as @daily, in at most ${LONGEST_CRON} characters`,
    );
  }
  const { CronExpressionParser } = await loaded(load);
  // Between a change of the clocks and the times that it repeats or skips, cron-parser finds other ticks than before the change.
  const isChanging = offsetAt(timeZone, afterMs) !== offsetAt(timeZone, afterMs - LONGEST_CHANGE_MS);
  const currentDate = new Date(isChanging ? afterMs - LONGEST_CHANGE_MS : afterMs);
  try {
    const ticks = CronExpressionParser.parse(fields, { currentDate, tz: timeZone, hashSeed: key });
    while (true) {
      const tickMs = ticks.next().getTime();
      if (tickMs > afterMs) return tickMs;
    }
  } catch (error) {
    throw illegal('cron', cron, describeError(error));
  }
}

function offsetAt(timeZone: string, timeMs: number): string | undefined {
  try {
    const format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
    return format.formatToParts(timeMs).find(({ type }) => type === 'timeZoneName')?.value;
  } catch (error) {
    throw illegal('timeZone', timeZone, `${describeError(error)}; use a name such as Europe/Berlin`);
  }
}

function illegal(field: 'cron' | 'timeZone', value: unknown, problem: string): UsageError {
  return new UsageError('ILLEGAL_CRON', `${field} is ${describe(value)}: ${problem}; nothing was scheduled`, field);
}

async function loaded(load: () => Promise<CronParser>): Promise<CronParser> {
  try {
    return await load();
  } catch (cause) {
    const text = `cron needs the package cron-parser, which cannot be loaded (${describeError(cause)})`;
    throw new UsageError(
      'PACKAGE_MISSING',
      `${text}; nothing was scheduled; install it with: npm install cron-parser@5`,
      'cron',
      {
        cause,
      },
    );
  }
}
