// `nestjs-rocketmq schedule`: what waits in the schedule of an application, and changes to one entry, in the application's database.

import type { Command } from 'commander';
import type { PendingEntry } from '../sql/schedule/pending-entries.js';
import type { Schedule } from '../sql/schedule/schedule.js';
import type { SqlExecutor } from '../sql/sql-port.js';
import { commandLine, quoted } from '../support/command-line.js';
import { type AddCommand, type CommandIo, CommandRejection, plural, withExamples, yesOption } from './command.js';
import { type PageValues, pageOptions, print, table, timeText } from './output.js';
import { type DatabaseValues, databaseOptions, withSchedule } from './schedule-database.js';

export const addScheduleCommand: AddCommand = (program, io) => {
  const schedule = program
    .command('schedule')
    .description('Lists, sends, cancels and pauses what waits in the schedule of an application, in its database.');
  withExamples(schedule, [['schedule list', 'what is due next']]);
  addList(schedule, io);
  addRun(schedule, io);
  addCancel(schedule, io);
  addPause(schedule, io);
  addResume(schedule, io);
};

const MAX_PAGE = 1_000;

function addList(schedule: Command, io: CommandIo): void {
  const command = schedule
    .command('list')
    .description(
      'Lists page by page what waits: when it is due, the rule and last tick of what is repeated, and pauses. The next entries are first, paused ones last.',
    )
    .option('--key <key>', 'only the entry with this key');
  type Values = DatabaseValues & PageValues & { readonly key?: string };
  databaseOptions(pageOptions(command, 'scheduled message', MAX_PAGE)).action(async (values: Values) => {
    const { limit, after, key } = values;
    const wanted = { limit, ...(after !== undefined && { after }), ...(key !== undefined && { key }) };
    const page = await withSchedule(values, io, {
      what: 'list of the schedule',
      whenUnknown: undefined,
      run: async (own, tx) => ({ ...(await own.pending(tx, wanted)), ...(await own.lag(tx)) }),
      check: (own, tx) => own.pending(tx, wanted),
    });
    print(io, values, page, () => {
      const { entries, next, scheduled, overdueMs } = page;
      const overdue = overdueMs === 0 ? '' : `; the oldest due one has been waiting for a relay for ${overdueMs} ms`;
      const more = next === undefined ? '' : `; continue with --after ${quoted(next)}`;
      return `${entryTable(entries)}${entries.length} of ${plural(scheduled, 'scheduled message')}${overdue}${more}\n`;
    });
  });
  withExamples(command, [
    ['schedule list', 'what is due next'],
    ['schedule list --key nightly-report --json', 'one entry, as JSON'],
  ]);
}

type ChangeValues = DatabaseValues & { readonly yes?: boolean };

function addRun(schedule: Command, io: CommandIo): void {
  const command = schedule
    .command('run')
    .description(
      'Sends an entry once, at the next poll of a relay, also a paused one. A repeated entry keeps its ticks; another one is then gone.',
    )
    .argument('<key>')
    .addOption(yesOption());
  databaseOptions(command).action(async (key: string, values: ChangeValues) => {
    const done = values.yes === true;
    const { before, after } = await change(io, values, 'run', key, done && ((own, tx) => own.runNow(tx, key)));
    print(io, values, { key, done, entry: after }, () => {
      if (!done) return `${entryTable([before])}${key} would be sent; nothing was changed; add --yes to send it\n`;
      return `a relay sends ${key} at its next poll${before.cron === undefined ? '' : '; its ticks stay as they are'}\n`;
    });
  });
  withExamples(command, [
    ['schedule run nightly-report', 'show what would be sent'],
    ['schedule run nightly-report --yes', 'send it now'],
  ]);
}

function addCancel(schedule: Command, io: CommandIo): void {
  const command = schedule
    .command('cancel')
    .description(
      'Removes an entry: its message is not sent, and a repeated one has no more ticks. What "schedule run" has added for a repeated one is an entry of its own. An application that sets it again at each start brings it back.',
    )
    .argument('<key>')
    .addOption(yesOption());
  databaseOptions(command).action(async (key: string, values: ChangeValues) => {
    const done = values.yes === true;
    const { before } = await change(io, values, 'cancel', key, done && ((own, tx) => own.cancel(tx, key)));
    print(io, values, { key, done, entry: before }, () => {
      if (!done) return `${entryTable([before])}${key} would be canceled; nothing was changed; add --yes to do it\n`;
      return `${key} is canceled: ${before.cron === undefined ? 'its message is not sent' : 'it has no more ticks'}\n`;
    });
  });
  withExamples(command, [
    ['schedule cancel trial:ada', 'show what would be canceled'],
    ['schedule cancel trial:ada --yes', 'cancel it'],
  ]);
}

function addPause(schedule: Command, io: CommandIo): void {
  const command = schedule
    .command('pause')
    .description(
      'Pauses an entry until "schedule resume", also if the application sets it again. What a relay has moved to the outbox before is sent.',
    )
    .usage('[options] --reason <text> <key>')
    .argument('<key>')
    .requiredOption('--reason <text>', 'why, for those who look for the cause');
  type Values = ChangeValues & { readonly reason: string };
  databaseOptions(command).action(async (key: string, { reason, ...values }: Values) => {
    const { before, after } = await change(io, values, 'pause', key, (own, tx) => own.pause(tx, key, reason));
    print(io, values, { key, replaced: before.paused, entry: after }, () => {
      const former = before.paused === undefined ? '' : `; it was paused ${pauseText(before)}`;
      return `${key} is paused ${pauseText(after)}${former}\n`;
    });
  });
  withExamples(command, [['schedule pause nightly-report --reason figures', 'keep it from being sent']]);
}

function addResume(schedule: Command, io: CommandIo): void {
  const command = schedule
    .command('resume')
    .description(
      'Resumes a paused entry. A repeated one goes on with its next tick; another one is sent when it is due, or at the next poll of a relay if that has passed.',
    )
    .argument('<key>');
  databaseOptions(command).action(async (key: string, values: ChangeValues) => {
    const { before, after } = await change(io, values, 'resume', key, (own, tx) => own.resume(tx, key));
    const wasPaused = before.paused !== undefined;
    print(io, values, { key, wasPaused, entry: after }, () => {
      if (!wasPaused) return `${key} was not paused\n`;
      const due = `it is due at ${timeText(after.dueAt.getTime())}, as relays notice at their next poll`;
      return `${key} is resumed; ${due}; it was paused ${pauseText(before)}\n`;
    });
  });
  withExamples(command, [['schedule resume nightly-report', 'let it go on']]);
}

/**
 * Finds an entry and changes it in one transaction.
 * @param make false: it is only looked at
 * @returns the entry before and after; after it is removed, as it was
 * @throws as {@link withSchedule}; `NOT_FOUND` when there is none
 */
async function change(
  io: CommandIo,
  values: DatabaseValues,
  name: string,
  key: string,
  make: false | ((own: Schedule, tx: SqlExecutor) => Promise<boolean>),
): Promise<{ readonly before: PendingEntry; readonly after: PendingEntry }> {
  const { scheduleTable } = values;
  const list = (...words: readonly string[]): string =>
    commandLine(
      'schedule',
      'list',
      ...words,
      ...(scheduleTable === undefined ? [] : ['--schedule-table', scheduleTable]),
    );
  const found = await withSchedule(values, io, {
    what: `schedule ${name} of ${key}`,
    whenUnknown: make === false ? undefined : `look at the entry before you try again: ${list('--key', key)}`,
    run: async (own, tx) => {
      const entry = async (): Promise<PendingEntry | undefined> => (await own.pending(tx, { key })).entries[0];
      // Before the first read, after which MySQL shows no changes of others.
      if (make !== false) await own.lock(tx, key);
      const before = await entry();
      if (before === undefined || (make !== false && !(await make(own, tx)))) return undefined;
      return { before, after: (await entry()) ?? before };
    },
    check: make === false ? (own, tx) => own.pending(tx, { key }) : make,
  });
  if (found !== undefined) return found;
  const why = `no entry "${key}" waits in the schedule: it was sent or canceled, or never set; nothing was changed`;
  throw new CommandRejection('NOT_FOUND', `${why}; list what waits with: ${list()}`);
}

function entryTable(entries: readonly PendingEntry[]): string {
  const rows = entries.map((entry) => {
    const { key, topic, dueAt, cron, timeZone, lastTickAt, paused } = entry;
    const rule = cron === undefined ? undefined : `${cron} (${timeZone})`;
    return [key, topic, timeText(dueAt.getTime()), rule, timeText(lastTickAt?.getTime()), paused && pauseText(entry)];
  });
  return table(['KEY', 'TOPIC', 'DUE', 'CRON', 'LAST TICK', 'PAUSED'], rows);
}

function pauseText({ paused }: PendingEntry): string {
  return paused === undefined ? '' : `since ${timeText(paused.since.getTime())}: ${paused.reason}`;
}
