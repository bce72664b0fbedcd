// The schedule on PostgreSQL.

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

const statesOf = (table: string): string => quoted(entryStatesOf(table), '"');

/** By how much the row is due later than without its pause. */
const PAUSE =
  `CASE WHEN "t"."due_at" < to_timestamp(${PAUSE_MS / 1000}) THEN make_interval() ` +
  `ELSE make_interval(secs => ${PAUSE_MS / 1000}) END`;

async function set(tx: SqlExecutor, name: string, row: ScheduleRow): Promise<void> {
  const { key, id, dueAtMs, latestDueMs, rule, columns } = row;
  const { topic, messageGroup, fields, body } = columns;
  const changed = ['id', 'topic', 'message_group', 'fields', 'body', 'cron', 'time_zone'];
  const isKept =
    '("t"."cron", "t"."time_zone") = (excluded."cron", excluded."time_zone") AND ' +
    `"t"."due_at" - ${PAUSE} <= to_timestamp($10::float8 / 1000)`;
  const text =
    `INSERT INTO ${quoted(name, '"')} AS "t" ("key", "id", "due_at", "cron", "time_zone", "topic", "message_group", "fields", "body") ` +
    "VALUES ($1, $2, to_timestamp($3::float8 / 1000), $4::text, $5::text, $6, $7::text, $8::jsonb, decode($9::text, 'base64')) " +
    `ON CONFLICT ("key") DO UPDATE SET ${changed.map((column) => `"${column}" = excluded."${column}"`).join(', ')}, ` +
    `"due_at" = CASE WHEN ${isKept} THEN "t"."due_at" ELSE excluded."due_at" + ${PAUSE} END`;
  const { cron = null, timeZone = null } = rule ?? {};
  await tx.query(text, [key, id, dueAtMs, cron, timeZone, topic, messageGroup, fields, body, latestDueMs]);
}

async function cancel(tx: SqlExecutor, table: string, key: string): Promise<boolean> {
  const text =
    `WITH "canceled" AS (DELETE FROM ${quoted(table, '"')} WHERE "key" = $1 RETURNING "key"), ` +
    `"forgotten" AS (DELETE FROM ${statesOf(table)} WHERE "key" IN (SELECT "key" FROM "canceled")) ` +
    'SELECT "key" FROM "canceled"';
  return (await tx.query(text, [key])).rows.length > 0;
}

const msOf = (column: string): string => `round(extract(epoch FROM ${column}) * 1000)::float8`;

const READ =
  'SELECT "t"."key", "id", "topic", "message_group" AS "messageGroup", "cron", "time_zone" AS "timeZone", ' +
  `${msOf('"due_at"')} AS "dueAtMs"`;

const LOCKED = `${READ}, CASE WHEN "cron" IS NOT NULL THEN "fields"::text END AS "fields"`;

async function find(tx: SqlExecutor, table: string, key: string): Promise<LockedRow | undefined> {
  const text = `${LOCKED} FROM ${quoted(table, '"')} AS "t" WHERE "key" = $1 FOR UPDATE`;
  return lockedRowsOf((await tx.query(text, [key])).rows)[0];
}

function lockedRowsOf(rows: readonly object[]): readonly LockedRow[] {
  return (rows as readonly (StoredEntry & Pick<LockedRow, 'fields'>)[]).map(lockedRowOf);
}

async function addOnce(
  tx: SqlExecutor,
  name: string,
  from: string,
  { key, id, fields, dueAtMs }: RepeatedMessage & Pick<ScheduledRow, 'key' | 'dueAtMs'>,
): Promise<void> {
  const table = quoted(name, '"');
  const text =
    `INSERT INTO ${table} ("key", "id", "topic", "message_group", "fields", "body", "due_at") ` +
    'SELECT $2::text, $3::text, "topic", "message_group", $4::jsonb, "body", to_timestamp($5::float8 / 1000) ' +
    `FROM ${table} WHERE "key" = $1`;
  await tx.query(text, [from, key, id, fields, dueAtMs]);
}

async function remember(tx: SqlExecutor, table: string, key: string, state: Partial<EntryState>): Promise<void> {
  const time = (mark: string): string => `to_timestamp(${mark}::float8 / 1000)`;
  const text = (mark: string): string => `${mark}::text`;
  const all = {
    lastTickMs: ['last_tick_at', time],
    pausedAtMs: ['paused_at', time],
    reason: ['reason', text],
  } as const;
  const given = Object.entries(state) as [keyof EntryState, unknown][];
  const columns = given.map(([field]) => `"${all[field][0]}"`);
  const values = given.map(([field], index) => all[field][1](`$${index + 2}`));
  const statement =
    `INSERT INTO ${statesOf(table)} ("key", ${columns.join(', ')}) VALUES ($1, ${values.join(', ')}) ` +
    `ON CONFLICT ("key") DO UPDATE SET ${columns.map((column) => `${column} = excluded.${column}`).join(', ')}`;
  await tx.query(statement, [key, ...given.map(([, value]) => value)]);
}

async function forget(tx: SqlExecutor, table: string, key: string): Promise<void> {
  await tx.query(`DELETE FROM ${statesOf(table)} WHERE "key" = $1`, [key]);
}

/** By milliseconds, as the place of a row has no more digits, and it must not follow itself. The index finds where the page begins. */
async function list(tx: SqlExecutor, table: string, { limit, key, after }: ListOptions): Promise<readonly ListedRow[]> {
  const text =
    `${READ}, ${msOf('"last_tick_at"')} AS "lastTickMs", ${msOf('"paused_at"')} AS "pausedAtMs", "reason" ` +
    `FROM ${quoted(table, '"')} AS "t" LEFT JOIN ${statesOf(table)} AS "s" ON "s"."key" = "t"."key" ` +
    'WHERE ($2::text IS NULL OR "t"."key" = $2::text) AND ($3::float8 IS NULL OR ' +
    `"due_at" >= to_timestamp(($3::float8 - 1) / 1000) AND (${msOf('"due_at"')}, "t"."key") > ($3::float8, $4::text)) ` +
    'ORDER BY "due_at", "t"."key" LIMIT $1::int';
  const { rows } = await tx.query(text, [limit, key ?? null, after?.dueAtMs ?? null, after?.key ?? null]);
  return (rows as readonly (StoredEntry & EntryState)[]).map(listedRowOf);
}

async function earliest(tx: SqlExecutor, table: string, limit: number): Promise<readonly ScheduledRow[]> {
  const text = `${READ} FROM ${quoted(table, '"')} AS "t" ORDER BY "due_at" LIMIT $1::int`;
  return ((await tx.query(text, [limit])).rows as readonly StoredEntry[]).map(scheduledRowOf);
}

async function lock(
  tx: SqlExecutor,
  table: string,
  keys: readonly string[],
  nowMs: number,
): Promise<readonly LockedRow[]> {
  const text =
    `${LOCKED} FROM ${quoted(table, '"')} AS "t" ` +
    'WHERE "key" = ANY(ARRAY(SELECT jsonb_array_elements_text($1::jsonb))) ' +
    'AND "due_at" <= to_timestamp($2::float8 / 1000) ORDER BY "due_at" FOR UPDATE SKIP LOCKED';
  return lockedRowsOf((await tx.query(text, [JSON.stringify(keys), nowMs])).rows);
}

async function lag(tx: SqlExecutor, table: string): Promise<ScheduleLagRow> {
  const text =
    'SELECT count(*)::int AS "scheduled", round(extract(epoch FROM min("due_at")) * 1000)::float8 AS "earliestMs" ' +
    `FROM ${quoted(table, '"')}`;
  return numbersOf<ScheduleLagRow>((await tx.query(text, [])).rows, ['scheduled', 'earliestMs']);
}

async function move(tx: SqlExecutor, name: string, outbox: string, rows: readonly HandedRow[]): Promise<void> {
  const table = quoted(name, '"');
  const handed = rows.map(({ key, tick }) => ({ key, ...tick }));
  const text = `WITH "handed" AS (SELECT * FROM jsonb_to_recordset($1::jsonb)
  AS "h" ("key" text, "id" text, "fields" text, "dueAtMs" float8, "nextMs" float8)),
"removed" AS (DELETE FROM ${table} WHERE "key" IN (SELECT "key" FROM "handed" WHERE "nextMs" IS NULL)),
"postponed" AS (UPDATE ${table} AS "t" SET "due_at" = to_timestamp("nextMs" / 1000)
  FROM "handed" WHERE "t"."key" = "handed"."key" AND "nextMs" IS NOT NULL),
"remembered" AS (INSERT INTO ${statesOf(name)} ("key", "last_tick_at")
  SELECT "key", to_timestamp("dueAtMs" / 1000) FROM "handed" WHERE "nextMs" IS NOT NULL
  ON CONFLICT ("key") DO UPDATE SET "last_tick_at" = excluded."last_tick_at")
INSERT INTO ${quoted(outbox, '"')} ("id", "topic", "message_group", "fields", "body")
SELECT coalesce("handed"."id", "t"."id"), "topic", "message_group", coalesce("handed"."fields"::jsonb, "t"."fields"), "body"
FROM "handed" JOIN ${table} AS "t" ON "t"."key" = "handed"."key" ORDER BY "t"."due_at"`;
  await tx.query(text, [JSON.stringify(handed)]);
}

async function postpone(tx: SqlExecutor, table: string, key: string, dueAtMs: number): Promise<void> {
  const text = `UPDATE ${quoted(table, '"')} SET "due_at" = to_timestamp($2::float8 / 1000) WHERE "key" = $1`;
  await tx.query(text, [key, dueAtMs]);
}
