// Changes to one entry of the application's schedule. What is found by its key is what is changed, in one transaction.

import type { PendingEntry, Schedule, SqlExecutor } from 'nestjs-rocketmq/sql';
import type { Change, ChangeResult } from '../access/plans.js';
import { ConsoleRejection } from '../http/exchange.js';
import type { PageContext } from '../pages/context.js';
import { inSchedule, shownEntry } from '../pages/schedule.js';
import { type Fields, wrong } from './fields.js';

const MAX_REASON = 500;

/** What each change does, and how it says so. */
const CHANGES = {
  run: {
    make: (own: Schedule, tx: SqlExecutor, key: string) => own.runNow(tx, key),
    text: ({ key, cron }: PendingEntry) =>
      `a relay sends ${key} at its next poll${cron === undefined ? '' : '; its ticks stay as they are'}`,
  },
  pause: {
    make: (own: Schedule, tx: SqlExecutor, key: string, reason: string) => own.pause(tx, key, reason),
    text: ({ key, paused }: PendingEntry) => {
      if (paused === undefined) return `entry ${key} is paused`;
      return `entry ${key} is paused; it was paused since ${paused.since.toISOString()} for: ${paused.reason}`;
    },
  },
  resume: {
    make: (own: Schedule, tx: SqlExecutor, key: string) => own.resume(tx, key),
    text: ({ key }: PendingEntry) => `entry ${key} is resumed`,
  },
  cancel: {
    make: (own: Schedule, tx: SqlExecutor, key: string) => own.cancel(tx, key),
    text: ({ key }: PendingEntry) => `entry ${key} is canceled`,
  },
};

export async function planSchedule(context: PageContext, fields: Fields): Promise<Change> {
  const key = fields.text('key');
  const change = fields.text('change');
  const reason = change === 'pause' ? fields.text('reason', MAX_REASON) : '';
  fields.end();
  if (change === 'pause' && reason.trim() === '') throw wrong('reason must not be blank');
  if (!isChange(change)) throw wrong(`change must be ${Object.keys(CHANGES).join(', ')}`);
  const { make, text } = CHANGES[change];
  const planned = await inSchedule(context, context.request.signal, 'nothing was changed', (own, tx) =>
    entryOf(own, tx, key),
  );
  const { topic } = planned;
  const run = async (ending: AbortSignal): Promise<ChangeResult> => {
    const otherwise = 'it may have taken effect: look at the entry before you try again';
    const before = await inSchedule(context, ending, otherwise, async (own, tx) => {
      const found = await entryOf(own, tx, key);
      // The rule was asked about this topic.
      if (found.topic !== topic) throw replaced(key);
      if (!(await make(own, tx, key, reason))) throw gone(key);
      return found;
    });
    return { outcome: 'done', text: text(before), details: {} };
  };
  const target = { key, change, ...(reason !== '' && { reason }) };
  return { action: 'schedule', target, topics: [topic], preview: { entry: shownEntry(planned) }, run };
}

function isChange(change: string): change is keyof typeof CHANGES {
  return Object.hasOwn(CHANGES, change);
}

/** @throws ConsoleRejection when there is none */
async function entryOf(own: Schedule, tx: SqlExecutor, key: string): Promise<PendingEntry> {
  const [entry] = (await own.pending(tx, { key })).entries;
  if (entry === undefined) throw gone(key);
  return entry;
}

function gone(key: string): ConsoleRejection {
  const text = `no entry ${key} waits in the schedule: it was sent or canceled, or never set; nothing was changed`;
  return new ConsoleRejection(409, 'NOT_SCHEDULED', text);
}

function replaced(key: string): ConsoleRejection {
  const text = `entry ${key} was set again meanwhile, for another topic; nothing was changed; plan again`;
  return new ConsoleRejection(409, 'NOT_SCHEDULED', text);
}
