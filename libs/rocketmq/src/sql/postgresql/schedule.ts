// The schedule on PostgreSQL.

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

export const schedule: ScheduleStatements = { set, cancel, earliest, lag, lock, copy, advance };

async function set(tx: SqlExecutor, name: string, row: ScheduleRow): Promise<void> {
  const { key, id, dueAtMs, latestDueMs, rule, columns } = row;
  const { topic, messageGroup, fields, body } = columns;
  const changed = ['id', 'topic', 'message_group', 'fields', 'body', 'cron', 'time_zone'];
  const isKept =
    '("t"."cron", "t"."time_zone") = (excluded."cron", excluded."time_zone") AND "t"."due_at" <= to_timestamp($10::float8 / 1000)';
  const text =
    `INSERT INTO ${quoted(name, '"')} AS "t" ("key", "id", "due_at", "cron", "time_zone", "topic", "message_group", "fields", "body") ` +
    "VALUES ($1, $2, to_timestamp($3::float8 / 1000), $4::text, $5::text, $6, $7::text, $8::jsonb, decode($9::text, 'base64')) " +
    `ON CONFLICT ("key") DO UPDATE SET ${changed.map((column) => `"${column}" = excluded."${column}"`).join(', ')}, ` +
    `"due_at" = CASE WHEN ${isKept} THEN "t"."due_at" ELSE excluded."due_at" END`;
  const { cron = null, timeZone = null } = rule ?? {};
  await tx.query(text, [key, id, dueAtMs, cron, timeZone, topic, messageGroup, fields, body, latestDueMs]);
}

async function cancel(tx: SqlExecutor, table: string, key: string): Promise<boolean> {
  const text =
    `WITH "canceled" AS (DELETE FROM ${quoted(table, '"')} WHERE "key" = $1 RETURNING "key") ` +
    'SELECT "key" FROM "canceled"';
  return (await tx.query(text, [key])).rows.length > 0;
}

const READ =
  'SELECT "key", "id", "topic", "message_group" AS "messageGroup", "cron", "time_zone" AS "timeZone", ' +
  'round(extract(epoch FROM "due_at") * 1000)::float8 AS "dueAtMs"';

async function earliest(tx: SqlExecutor, table: string, limit: number): Promise<readonly ScheduledRow[]> {
  const text = `${READ} FROM ${quoted(table, '"')} ORDER BY "due_at" LIMIT $1::int`;
  return ((await tx.query(text, [limit])).rows as readonly StoredEntry[]).map(scheduledRowOf);
}

async function lock(
  tx: SqlExecutor,
  table: string,
  keys: readonly string[],
  nowMs: number,
): Promise<readonly LockedRow[]> {
  const text =
    `${READ}, "fields"::text AS "fields" FROM ${quoted(table, '"')} ` +
    'WHERE "key" = ANY(ARRAY(SELECT jsonb_array_elements_text($1::jsonb))) ' +
    'AND "due_at" <= to_timestamp($2::float8 / 1000) ORDER BY "due_at" FOR UPDATE SKIP LOCKED';
  const { rows } = await tx.query(text, [JSON.stringify(keys), nowMs]);
  return (rows as readonly (StoredEntry & LockedRow)[]).map((row) => ({ ...scheduledRowOf(row), fields: row.fields }));
}

async function lag(tx: SqlExecutor, table: string): Promise<ScheduleLagRow> {
  const text =
    'SELECT count(*)::int AS "scheduled", round(extract(epoch FROM min("due_at")) * 1000)::float8 AS "earliestMs" ' +
    `FROM ${quoted(table, '"')}`;
  return numbersOf<ScheduleLagRow>((await tx.query(text, [])).rows, ['scheduled', 'earliestMs']);
}

async function copy(tx: SqlExecutor, table: string, outbox: string, { key, id, fields }: HandedRow): Promise<void> {
  const text =
    `INSERT INTO ${quoted(outbox, '"')} ("id", "topic", "message_group", "fields", "body") ` +
    `SELECT $2::text, "topic", "message_group", $3::jsonb, "body" FROM ${quoted(table, '"')} WHERE "key" = $1`;
  await tx.query(text, [key, id, fields]);
}

async function advance(tx: SqlExecutor, name: string, { key, nextMs }: HandedRow): Promise<void> {
  const table = quoted(name, '"');
  if (nextMs === undefined) await tx.query(`DELETE FROM ${table} WHERE "key" = $1`, [key]);
  else await tx.query(`UPDATE ${table} SET "due_at" = to_timestamp($2::float8 / 1000) WHERE "key" = $1`, [key, nextMs]);
}
