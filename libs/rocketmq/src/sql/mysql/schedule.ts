// The schedule on MySQL. A relay chooses rows without locks and locks them by their primary keys: by the index of the times, InnoDB would
// also lock gaps, into which others insert.

import { listedRowOf, lockedRowOf, numbersOf, type StoredEntry, scheduledRowOf } from '../rows.js';
import {
  type EntryState,
  type HandedRow,
  type ListedRow,
  type ListOptions,
  type LockedRow,
  PAUSE_MS,
  type RepeatedMessage,
  type ScheduledRow,
  type ScheduleLagRow,
  type ScheduleRow,
  type ScheduleStatements,
} from '../schedule/schedule-statements.js';
import type { SqlExecutor } from '../sql-port.js';
import { entryStatesOf, quoted } from '../table-name.js';
import { hexOf, marks, ofHex, textOf } from './statements.js';

export const schedule: ScheduleStatements = {
  set,
  cancel,
  find,
  addOnce,
  remember,
  forget,
  list,
  earliest,
  lag,
  lock,
  move,
  postpone,
};

const statesOf = (table: string): string => quoted(entryStatesOf(table), '`');

/** By how much the row is due later than without its pause. */
const PAUSE = `IF(\`due_at\` < ${PAUSE_MS}, 0, ${PAUSE_MS})`;

/**
 * The time comes first: assignments see what those before them have changed. Without a derived table for the new row, in which MySQL cuts
 * parameters of prepared statements to 65,535 bytes. A repeated entry has a state from the beginning: to delete one that is not there would lock the gap
 * into which relays insert theirs.
 */
async function set(tx: SqlExecutor, name: string, row: ScheduleRow): Promise<void> {
  const { key, id, dueAtMs, latestDueMs, rule, columns } = row;
  const { topic, messageGroup, fields, body } = columns;
  const { cron = null, timeZone = null } = rule ?? {};
  const isKept = `\`cron\` = VALUES(\`cron\`) AND \`time_zone\` = VALUES(\`time_zone\`) AND \`due_at\` - ${PAUSE} <= ${latestDueMs}`;
  const changed = ['id', 'cron', 'time_zone', 'topic', 'message_group', 'fields', 'body'];
  const text =
    `INSERT INTO ${quoted(name, '`')} (\`key\`, \`due_at\`, ${changed.map((column) => `\`${column}\``).join(', ')}) ` +
    `VALUES (UNHEX(?), ${dueAtMs}, ?, ?, ?, ?, UNHEX(?), UNHEX(?), FROM_BASE64(?)) ON DUPLICATE KEY UPDATE ` +
    `\`due_at\` = IF(${isKept}, \`due_at\`, VALUES(\`due_at\`) + ${PAUSE}), ` +
    changed.map((column) => `\`${column}\` = VALUES(\`${column}\`)`).join(', ');
  await tx.query(text, [hexOf(key), id, cron, timeZone, topic, hexOf(messageGroup), hexOf(fields), body]);
  if (rule !== undefined)
    await tx.query(`INSERT IGNORE INTO ${statesOf(name)} (\`key\`) VALUES (UNHEX(?))`, [hexOf(key)]);
}

async function cancel(tx: SqlExecutor, table: string, key: string): Promise<boolean> {
  const row = await find(tx, table, key);
  if (row === undefined) return false;
  await tx.query(`DELETE FROM ${quoted(table, '`')} WHERE \`key\` = UNHEX(?)`, [hexOf(key)]);
  // An entry that is sent once has no state, unless it is paused.
  if (row.rule !== undefined || row.dueAtMs >= PAUSE_MS) await forget(tx, table, key);
  return true;
}

const READ =
  'SELECT HEX(`t`.`key`) AS `key`, `id`, `topic`, HEX(`message_group`) AS `messageGroup`, `cron`, ' +
  '`time_zone` AS `timeZone`, `due_at` AS `dueAtMs`';

const LOCKED = `${READ}, IF(\`cron\` IS NULL, NULL, HEX(\`fields\`)) AS \`fields\``;

async function find(tx: SqlExecutor, table: string, key: string): Promise<LockedRow | undefined> {
  const text = `${LOCKED} FROM ${quoted(table, '`')} AS \`t\` WHERE \`key\` = UNHEX(?) FOR UPDATE`;
  return lockedRowsOf((await tx.query(text, [hexOf(key)])).rows)[0];
}

function lockedRowsOf(rows: readonly object[]): readonly LockedRow[] {
  return (rows as readonly (StoredEntry & Pick<LockedRow, 'fields'>)[]).map((row) =>
    lockedRowOf({ ...decoded(row), fields: ofHex(row.fields) }),
  );
}

async function addOnce(
  tx: SqlExecutor,
  name: string,
  from: string,
  { key, id, fields, dueAtMs }: RepeatedMessage & Pick<ScheduledRow, 'key' | 'dueAtMs'>,
): Promise<void> {
  const table = quoted(name, '`');
  const text =
    `INSERT INTO ${table} (\`key\`, \`id\`, \`topic\`, \`message_group\`, \`fields\`, \`body\`, \`due_at\`) ` +
    `SELECT UNHEX(?), ?, \`topic\`, \`message_group\`, UNHEX(?), \`body\`, ${dueAtMs} FROM ${table} WHERE \`key\` = UNHEX(?)`;
  await tx.query(text, [hexOf(key), id, hexOf(fields), hexOf(from)]);
}

async function remember(tx: SqlExecutor, table: string, key: string, state: Partial<EntryState>): Promise<void> {
  const { lastTickMs, pausedAtMs, reason } = state;
  const columns = [
    ...(lastTickMs === undefined ? [] : [['`last_tick_at`', `${lastTickMs}`]]),
    ...(pausedAtMs === undefined ? [] : [['`paused_at`', `${pausedAtMs}`]]),
    ...(reason === undefined ? [] : [['`reason`', 'UNHEX(?)']]),
  ];
  const text =
    `INSERT INTO ${statesOf(table)} (\`key\`, ${columns.map(([column]) => column).join(', ')}) ` +
    `VALUES (UNHEX(?), ${columns.map(([, value]) => value).join(', ')}) ON DUPLICATE KEY UPDATE ` +
    columns.map(([column]) => `${column} = VALUES(${column})`).join(', ');
  await tx.query(text, [hexOf(key), ...(reason === undefined ? [] : [hexOf(reason)])]);
}

async function forget(tx: SqlExecutor, table: string, key: string): Promise<void> {
  await tx.query(`DELETE FROM ${statesOf(table)} WHERE \`key\` = UNHEX(?)`, [hexOf(key)]);
}

async function list(tx: SqlExecutor, table: string, { limit, key, after }: ListOptions): Promise<readonly ListedRow[]> {
  const conditions = [
    ...(key === undefined ? [] : ['`t`.`key` = UNHEX(?)']),
    ...(after === undefined
      ? []
      : [`\`due_at\` >= ${after.dueAtMs} AND (\`due_at\` > ${after.dueAtMs} OR \`t\`.\`key\` > UNHEX(?))`]),
  ];
  const text =
    `${READ}, \`last_tick_at\` AS \`lastTickMs\`, \`paused_at\` AS \`pausedAtMs\`, HEX(\`reason\`) AS \`reason\` ` +
    `FROM ${quoted(table, '`')} AS \`t\` LEFT JOIN ${statesOf(table)} AS \`s\` ON \`s\`.\`key\` = \`t\`.\`key\` ` +
    `${conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')} `}ORDER BY \`due_at\`, \`t\`.\`key\` LIMIT ${limit}`;
  const given = [key, after?.key].filter((one) => one !== undefined);
  const { rows } = await tx.query(text, given.map(hexOf));
  return (rows as readonly (StoredEntry & EntryState)[]).map((row) =>
    listedRowOf({ ...row, ...decoded(row), reason: ofHex(row.reason) }),
  );
}

async function earliest(tx: SqlExecutor, table: string, limit: number): Promise<readonly ScheduledRow[]> {
  const text = `${READ} FROM ${quoted(table, '`')} AS \`t\` ORDER BY \`due_at\` LIMIT ${limit}`;
  return ((await tx.query(text, [])).rows as readonly StoredEntry[]).map((row) => scheduledRowOf(decoded(row)));
}

async function lock(
  tx: SqlExecutor,
  table: string,
  keys: readonly string[],
  nowMs: number,
): Promise<readonly LockedRow[]> {
  const text =
    `${LOCKED} FROM ${quoted(table, '`')} AS \`t\` FORCE INDEX (PRIMARY) ` +
    `WHERE ${keyIn(keys)} AND \`due_at\` <= ${nowMs} ORDER BY \`due_at\` FOR UPDATE SKIP LOCKED`;
  return lockedRowsOf((await tx.query(text, keys.map(hexOf))).rows);
}

function decoded({ key, id, topic, messageGroup, dueAtMs, cron, timeZone }: StoredEntry): StoredEntry {
  const texts = { id: textOf(id), topic: textOf(topic), cron: textOf(cron), timeZone: textOf(timeZone) };
  return { ...texts, key: ofHex(key), messageGroup: ofHex(messageGroup), dueAtMs };
}

async function lag(tx: SqlExecutor, table: string): Promise<ScheduleLagRow> {
  const text = `SELECT COUNT(*) AS \`scheduled\`, MIN(\`due_at\`) AS \`earliestMs\` FROM ${quoted(table, '`')}`;
  return numbersOf<ScheduleLagRow>((await tx.query(text, [])).rows, ['scheduled', 'earliestMs']);
}

/** By their primary keys, also in a table of which MySQL would rather read all: it would lock all. */
async function move(tx: SqlExecutor, name: string, outbox: string, rows: readonly HandedRow[]): Promise<void> {
  const table = `${quoted(name, '`')} FORCE INDEX (PRIMARY)`;
  const keys = rows.map(({ key }) => key);
  const once = rows.filter(({ tick }) => tick === undefined).map(({ key }) => key);
  const ticks = rows.flatMap(({ key, tick }) => (tick === undefined ? [] : [{ key, ...tick }]));
  const ofTick = (column: string, value: string): string =>
    ticks.length === 0
      ? column
      : `CASE \`key\` ${ticks.map(() => `WHEN UNHEX(?) THEN ${value}`).join(' ')} ELSE ${column} END`;
  const copy =
    `INSERT INTO ${quoted(outbox, '`')} (\`id\`, \`topic\`, \`message_group\`, \`fields\`, \`body\`, \`created_at\`) ` +
    `SELECT ${ofTick('`id`', '?')}, \`topic\`, \`message_group\`, ${ofTick('`fields`', 'UNHEX(?)')}, \`body\`, UTC_TIMESTAMP(3) ` +
    `FROM ${table} WHERE ${keyIn(keys)} ORDER BY \`due_at\``;
  const values = [
    ...ticks.flatMap(({ key, id }) => [hexOf(key), id]),
    ...ticks.flatMap(({ key, fields }) => [hexOf(key), hexOf(fields)]),
    ...keys.map(hexOf),
  ];
  await tx.query(copy, values);
  if (once.length > 0) {
    await tx.query(
      `DELETE \`t\` FROM ${quoted(name, '`')} AS \`t\` FORCE INDEX (PRIMARY) WHERE ${keyIn(once)}`,
      once.map(hexOf),
    );
  }
  for (const { key, dueAtMs, nextMs } of ticks) {
    await postpone(tx, name, key, nextMs);
    await remember(tx, name, key, { lastTickMs: dueAtMs });
  }
}

function keyIn(keys: readonly string[]): string {
  return `\`key\` IN (${marks(keys, 'UNHEX(?)')})`;
}

async function postpone(tx: SqlExecutor, table: string, key: string, dueAtMs: number): Promise<void> {
  await tx.query(`UPDATE ${quoted(table, '`')} SET \`due_at\` = ${dueAtMs} WHERE \`key\` = UNHEX(?)`, [hexOf(key)]);
}
