// The schedule on MySQL. A relay chooses rows without locks and locks them by their primary keys: by the index of the times, InnoDB would
// also lock gaps, into which others insert.

import type {
  HandedRow,
  LockedRow,
  ScheduledRow,
  ScheduleLagRow,
  ScheduleRow,
  ScheduleStatements,
} from '../dialect.js';
import { numbersOf, type StoredEntry, scheduledRowOf } from '../rows.js';
import type { SqlExecutor } from '../sql-port.js';
import { quoted } from '../table-name.js';
import { affectedRows, hexOf, marks, ofHex, textOf } from './statements.js';

export const schedule: ScheduleStatements = { set, cancel, earliest, lag, lock, copy, advance };

/**
 * The time comes first: assignments see what those before them have changed. Without a derived table for the new row, in which MySQL cuts
 * parameters of prepared statements to 65,535 bytes.
 */
async function set(tx: SqlExecutor, name: string, row: ScheduleRow): Promise<void> {
  const { key, id, dueAtMs, latestDueMs, rule, columns } = row;
  const { topic, messageGroup, fields, body } = columns;
  const { cron = null, timeZone = null } = rule ?? {};
  const isKept = `\`cron\` = VALUES(\`cron\`) AND \`time_zone\` = VALUES(\`time_zone\`) AND \`due_at\` <= ${latestDueMs}`;
  const changed = ['id', 'cron', 'time_zone', 'topic', 'message_group', 'fields', 'body'];
  const text =
    `INSERT INTO ${quoted(name, '`')} (\`key\`, \`due_at\`, ${changed.map((column) => `\`${column}\``).join(', ')}) ` +
    `VALUES (UNHEX(?), ${dueAtMs}, ?, ?, ?, ?, UNHEX(?), UNHEX(?), FROM_BASE64(?)) ON DUPLICATE KEY UPDATE ` +
    `\`due_at\` = IF(${isKept}, \`due_at\`, VALUES(\`due_at\`)), ` +
    changed.map((column) => `\`${column}\` = VALUES(\`${column}\`)`).join(', ');
  await tx.query(text, [hexOf(key), id, cron, timeZone, topic, hexOf(messageGroup), hexOf(fields), body]);
}

async function cancel(tx: SqlExecutor, table: string, key: string): Promise<boolean> {
  await tx.query(`DELETE FROM ${quoted(table, '`')} WHERE \`key\` = UNHEX(?)`, [hexOf(key)]);
  return (await affectedRows(tx)) > 0;
}

const READ =
  'SELECT HEX(`key`) AS `key`, `id`, `topic`, HEX(`message_group`) AS `messageGroup`, `cron`, ' +
  '`time_zone` AS `timeZone`, `due_at` AS `dueAtMs`';

async function earliest(tx: SqlExecutor, table: string, limit: number): Promise<readonly ScheduledRow[]> {
  const text = `${READ} FROM ${quoted(table, '`')} ORDER BY \`due_at\` LIMIT ${limit}`;
  return ((await tx.query(text, [])).rows as readonly StoredEntry[]).map((row) => scheduledRowOf(decoded(row)));
}

async function lock(
  tx: SqlExecutor,
  table: string,
  keys: readonly string[],
  nowMs: number,
): Promise<readonly LockedRow[]> {
  const text =
    `${READ}, HEX(\`fields\`) AS \`fields\` FROM ${quoted(table, '`')} FORCE INDEX (PRIMARY) ` +
    `WHERE \`key\` IN (${marks(keys, 'UNHEX(?)')}) AND \`due_at\` <= ${nowMs} ORDER BY \`due_at\` FOR UPDATE SKIP LOCKED`;
  const { rows } = await tx.query(text, keys.map(hexOf));
  return (rows as readonly (StoredEntry & LockedRow)[]).map((row) => ({
    ...scheduledRowOf(decoded(row)),
    fields: ofHex(row.fields),
  }));
}

function decoded({ key, id, topic, messageGroup, dueAtMs, cron, timeZone }: StoredEntry): StoredEntry {
  const texts = { id: textOf(id), topic: textOf(topic), cron: textOf(cron), timeZone: textOf(timeZone) };
  return { ...texts, key: ofHex(key), messageGroup: ofHex(messageGroup), dueAtMs };
}

async function lag(tx: SqlExecutor, table: string): Promise<ScheduleLagRow> {
  const text = `SELECT COUNT(*) AS \`scheduled\`, MIN(\`due_at\`) AS \`earliestMs\` FROM ${quoted(table, '`')}`;
  return numbersOf<ScheduleLagRow>((await tx.query(text, [])).rows, ['scheduled', 'earliestMs']);
}

async function copy(tx: SqlExecutor, table: string, outbox: string, { key, id, fields }: HandedRow): Promise<void> {
  const text =
    `INSERT INTO ${quoted(outbox, '`')} (\`id\`, \`topic\`, \`message_group\`, \`fields\`, \`body\`, \`created_at\`) ` +
    'SELECT ?, `topic`, `message_group`, UNHEX(?), `body`, UTC_TIMESTAMP(3) ' +
    `FROM ${quoted(table, '`')} WHERE \`key\` = UNHEX(?)`;
  await tx.query(text, [id, hexOf(fields), hexOf(key)]);
}

async function advance(tx: SqlExecutor, name: string, { key, nextMs }: HandedRow): Promise<void> {
  const change = nextMs === undefined ? 'DELETE FROM' : 'UPDATE';
  const set = nextMs === undefined ? '' : ` SET \`due_at\` = ${nextMs}`;
  await tx.query(`${change} ${quoted(name, '`')}${set} WHERE \`key\` = UNHEX(?)`, [hexOf(key)]);
}
