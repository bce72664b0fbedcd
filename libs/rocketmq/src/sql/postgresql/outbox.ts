// The outbox on PostgreSQL.

import type { ClaimedRow, ClaimOptions, FailedRow, LagRow, OutboxStatements, ParkedRow } from '../dialect.js';
import { keptRows, type RowPlace } from '../outbox/claimed-rows.js';
import type { OutboxColumns } from '../outbox-message.js';
import { numbersOf } from '../rows.js';
import { runAlone, type SqlDatabase, type SqlExecutor } from '../sql-port.js';
import { quoted } from '../table-name.js';

export const outbox: OutboxStatements = {
  lockGroup,
  tryLockGroups,
  insert,
  lag,
  parked,
  retryParked,
  take,
  sent,
  failed,
  release,
};

/** Distinguishes the locks of this library's message groups from other advisory locks: the first bytes of "rocketmq". */
const LOCK_CLASS = 0x726f636b;

async function lockGroup(tx: SqlExecutor, table: string, messageGroup: string): Promise<void> {
  // As a text, because Prisma cannot read what is void.
  const text = `SELECT pg_advisory_xact_lock(${lockOf('$2::text')})::text AS "locked"`;
  await tx.query(text, [quoted(table, '"'), messageGroup]);
}

async function tryLockGroups(
  tx: SqlExecutor,
  table: string,
  messageGroups: readonly string[],
): Promise<ReadonlySet<string>> {
  const text = `SELECT "group" FROM jsonb_array_elements_text($2::jsonb) AS "g" ("group") WHERE pg_try_advisory_xact_lock(${lockOf('"group"')})`;
  const { rows } = await tx.query(text, [quoted(table, '"'), JSON.stringify(messageGroups)]);
  return new Set((rows as readonly { readonly group: string }[]).map(({ group }) => group));
}

/** By the number of the table `$1`, since one table has several names, with its schema and without. */
function lockOf(messageGroup: string): string {
  return `${LOCK_CLASS}, hashtext(concat(to_regclass($1::text)::oid, '/', ${messageGroup}))`;
}

async function insert(tx: SqlExecutor, table: string, id: string, columns: OutboxColumns): Promise<void> {
  const { topic, messageGroup, fields, body } = columns;
  const text =
    `INSERT INTO ${quoted(table, '"')} ("id", "topic", "message_group", "fields", "body") ` +
    "VALUES ($1, $2, $3::text, $4::jsonb, decode($5::text, 'base64'))";
  await tx.query(text, [id, topic, messageGroup, fields, body]);
}

async function lag(tx: SqlExecutor, name: string): Promise<LagRow> {
  const table = quoted(name, '"');
  // One subquery for each state, so that an index finds the few relevant rows among the sent ones.
  const count = (state: string): string => `(SELECT count(*)::int FROM ${table} WHERE "state" = '${state}')`;
  const age = 'extract(epoch FROM clock_timestamp() - min("created_at"))::float8 * 1000';
  const text =
    `SELECT ${count('unsent')} AS "unsent", ${count('parked')} AS "parked", ` +
    `(SELECT ${age} FROM ${table} WHERE "state" = 'unsent') AS "oldest"`;
  return numbersOf<LagRow>((await tx.query(text, [])).rows, ['unsent', 'parked', 'oldest']);
}

async function parked(tx: SqlExecutor, table: string, limit: number): Promise<readonly ParkedRow[]> {
  const text =
    'SELECT "id", "topic", "message_group" AS "messageGroup", "attempts", "last_error" AS "lastError" ' +
    `FROM ${quoted(table, '"')} WHERE "state" = 'parked' ORDER BY "position" LIMIT $1::int`;
  const rows = (await tx.query(text, [limit])).rows as readonly ParkedRow[];
  return rows.map((row) => ({ ...row, attempts: Number(row.attempts) }));
}

async function retryParked(tx: SqlExecutor, table: string, ids: readonly string[] | undefined): Promise<number> {
  const chosen = ids === undefined ? '' : ' AND "id" IN (SELECT jsonb_array_elements_text($1::jsonb))';
  const text =
    `WITH "retried" AS (UPDATE ${quoted(table, '"')} SET "state" = 'unsent', "attempts" = 0, "due_at" = '-infinity', ` +
    `"settled_at" = NULL WHERE "state" = 'parked'${chosen} RETURNING 1) SELECT count(*)::int AS "count" FROM "retried"`;
  const { rows } = await tx.query(text, ids === undefined ? [] : [JSON.stringify(ids)]);
  return Number((rows as readonly { readonly count: unknown }[])[0]?.count ?? 0);
}

async function take(
  database: SqlDatabase,
  name: string,
  { claim, nowMs, endsAtMs, limit, groupRows, bytes }: ClaimOptions,
): Promise<readonly ClaimedRow[]> {
  const table = quoted(name, '"');
  const isDue = '"due_at" <= to_timestamp($1::float8 / 1000)';
  const text = `WITH "head" AS (
  SELECT "o"."position", "o"."message_group", octet_length("o"."body") AS "bytes" FROM ${table} "o"
  WHERE "o"."state" = 'unsent' AND "o".${isDue}
    AND ("o"."message_group" IS NULL OR NOT EXISTS (
      SELECT 1 FROM ${table} "e" WHERE "e"."state" = 'unsent'
        AND "e"."message_group" = "o"."message_group" AND "e"."position" < "o"."position"))
  ORDER BY "o"."position" LIMIT $2::int FOR UPDATE SKIP LOCKED
), "taken" AS (
  SELECT "position", "message_group", "bytes" FROM "head" WHERE "message_group" IS NULL
  UNION ALL
  SELECT "next"."position", "head"."message_group", "next"."bytes" FROM "head", LATERAL (
    SELECT "first".*, bool_and("first"."is_due") OVER (ORDER BY "first"."position") AS "are_due" FROM (
      SELECT "n"."position", octet_length("n"."body") AS "bytes", "n".${isDue} AS "is_due" FROM ${table} "n"
      WHERE "n"."state" = 'unsent' AND "n"."message_group" = "head"."message_group"
      ORDER BY "n"."position" LIMIT ${groupRows}) "first") "next"
  WHERE "head"."message_group" IS NOT NULL AND "next"."are_due"
  ORDER BY 1 LIMIT $2::int
), "chosen" AS (
  SELECT * FROM (SELECT *, sum("bytes") OVER (ORDER BY "position") AS "total" FROM "taken") "summed"
  WHERE "total" <= ${bytes} OR "total" = "bytes"
), "claimed" AS (
  UPDATE ${table} "c" SET "claim" = $3::text, "due_at" = to_timestamp($4::float8 / 1000)
  FROM "chosen" WHERE "c"."position" = "chosen"."position" AND "c"."state" = 'unsent' AND "c".${isDue}
  RETURNING "c".*
)
SELECT "chosen"."position"::float8 AS "position", "chosen"."message_group" AS "messageGroup", "claimed"."id", "claimed"."topic",
  "claimed"."fields"::text AS "fields", encode("claimed"."body", 'base64') AS "body", "claimed"."attempts"
FROM "chosen" LEFT JOIN "claimed" ON "claimed"."position" = "chosen"."position" ORDER BY "chosen"."position"`;
  const found = (await runAlone(database, text, [nowMs, limit, claim, endsAtMs])).rows as readonly (
    | ClaimedRow
    | Missed
  )[];
  const rows = found.map((row) =>
    row.id === null
      ? { ...row, position: Number(row.position) }
      : { ...row, position: Number(row.position), attempts: Number(row.attempts) },
  );
  const claimed = rows.filter((row): row is ClaimedRow => row.id !== null);
  const [kept, behind] = keptRows(
    claimed,
    rows.filter(({ id }) => id === null),
  );
  if (behind.length > 0) await database.transaction((tx) => release(tx, name, claim, behind));
  return kept;
}

interface Missed extends RowPlace {
  readonly id: null;
}

/** A list of positions as one parameter, for all clients. */
const positionsIn = (parameter: string): string =>
  `"position" = ANY(ARRAY(SELECT jsonb_array_elements_text(${parameter}::jsonb)::bigint))`;

async function sent(database: SqlDatabase, table: string, positions: readonly number[]): Promise<void> {
  const text =
    `UPDATE ${quoted(table, '"')} SET "state" = 'sent', "claim" = NULL, "last_error" = NULL, "settled_at" = now() ` +
    `WHERE "state" <> 'sent' AND ${positionsIn('$1')}`;
  await runAlone(database, text, [JSON.stringify(positions)]);
}

async function failed(
  tx: SqlExecutor,
  table: string,
  claim: string,
  { position, error, attempts, retryAtMs }: FailedRow,
): Promise<boolean> {
  const end =
    retryAtMs === undefined ? `"state" = 'parked', "settled_at" = now()` : '"due_at" = to_timestamp($5::float8 / 1000)';
  const text =
    `WITH "failed" AS (UPDATE ${quoted(table, '"')} SET ${end}, "attempts" = $4::int, "last_error" = $3::text, "claim" = NULL ` +
    `WHERE "position" = $2::bigint AND "claim" = $1::text AND "state" = 'unsent' RETURNING "id") SELECT "id" FROM "failed"`;
  const parameters = [claim, position, error, attempts, ...(retryAtMs === undefined ? [] : [retryAtMs])];
  return (await tx.query(text, parameters)).rows.length > 0;
}

async function release(tx: SqlExecutor, table: string, claim: string, positions: readonly number[]): Promise<void> {
  const text =
    `UPDATE ${quoted(table, '"')} SET "claim" = NULL, "due_at" = '-infinity' WHERE "claim" = $1::text AND "state" = 'unsent' ` +
    `AND ${positionsIn('$2')}`;
  await tx.query(text, [claim, JSON.stringify(positions)]);
}
