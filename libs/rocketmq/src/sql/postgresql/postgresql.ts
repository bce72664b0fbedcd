// PostgreSQL: the tables, the inbox, and the deletion of old rows. The rest is in files of its own.

import type { Dialect, OldRows, TableFacts, TableNames } from '../dialect.js';
import { namedRows } from '../rows.js';
import type { SqlDatabase, SqlExecutor } from '../sql-port.js';
import { entryStatesOf, nameFor, quoted } from '../table-name.js';
import { limits } from './limits.js';
import { log } from './log.js';
import { outbox } from './outbox.js';
import { schedule } from './schedule.js';

export const postgresql: Dialect = {
  schema,
  inspect,
  locksOf: () => undefined,
  readsOnly,
  log,
  outbox,
  schedule,
  limits,
  insertKey,
  deleteOld,
};

function schema(tables: TableNames): string[][] {
  return [version1(tables), version2(tables), version3(tables)];
}

function version1({ log, inbox, outbox }: TableNames): string[] {
  return [
    `CREATE TABLE IF NOT EXISTS ${quoted(log, '"')} (
  "transaction_id" text PRIMARY KEY,
  "topic" text NOT NULL,
  "resolution" text NOT NULL CHECK ("resolution" IN ('commit', 'rollback')),
  "created_at" timestamptz NOT NULL DEFAULT now()
)`,
    `CREATE TABLE IF NOT EXISTS ${quoted(inbox, '"')} (
  "key" text PRIMARY KEY,
  "created_at" timestamptz NOT NULL DEFAULT now()
)`,
    `CREATE INDEX IF NOT EXISTS ${indexName(log, 'created_at')} ON ${quoted(log, '"')} ("created_at")`,
    `CREATE INDEX IF NOT EXISTS ${indexName(inbox, 'created_at')} ON ${quoted(inbox, '"')} ("created_at")`,
    ...outboxSchema(outbox),
  ];
}

function version2({ schedule: name }: TableNames): string[] {
  const table = quoted(name, '"');
  return [
    `CREATE TABLE IF NOT EXISTS ${table} (
  "key" text PRIMARY KEY,
  "id" text NOT NULL,
  "topic" text NOT NULL,
  "message_group" text,
  "fields" jsonb NOT NULL,
  "body" bytea NOT NULL,
  "due_at" timestamptz NOT NULL,
  "cron" text,
  "time_zone" text
)`,
    `CREATE INDEX IF NOT EXISTS ${indexName(name, 'due')} ON ${table} ("due_at")`,
  ];
}

function version3({ limit: name, schedule }: TableNames): string[] {
  return [
    `CREATE TABLE IF NOT EXISTS ${quoted(entryStatesOf(schedule), '"')} (
  "key" text PRIMARY KEY,
  "last_tick_at" timestamptz,
  "paused_at" timestamptz,
  "reason" text
)`,
    `CREATE TABLE IF NOT EXISTS ${quoted(name, '"')} (
  "key" text PRIMARY KEY,
  "version" bigint NOT NULL,
  "state" text NOT NULL
)`,
  ];
}

/** `due_at` is the end of a claim, or the time of the next attempt: no relay claims the row before it. */
function outboxSchema(name: string): string[] {
  const table = quoted(name, '"');
  return [
    `CREATE TABLE IF NOT EXISTS ${table} (
  "position" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  "id" text NOT NULL UNIQUE,
  "topic" text NOT NULL,
  "message_group" text,
  "fields" jsonb NOT NULL,
  "body" bytea NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "state" text NOT NULL DEFAULT 'unsent' CHECK ("state" IN ('unsent', 'sent', 'parked')),
  "due_at" timestamptz NOT NULL DEFAULT '-infinity',
  "claim" text,
  "attempts" integer NOT NULL DEFAULT 0,
  "last_error" text,
  "settled_at" timestamptz
)`,
    `CREATE INDEX IF NOT EXISTS ${indexName(name, 'unsent')} ON ${table} ("position") WHERE "state" = 'unsent'`,
    `CREATE INDEX IF NOT EXISTS ${indexName(name, 'group')} ON ${table} ("message_group", "position") WHERE "state" = 'unsent'`,
    `CREATE INDEX IF NOT EXISTS ${indexName(name, 'sent')} ON ${table} ("settled_at") WHERE "state" = 'sent'`,
    `CREATE INDEX IF NOT EXISTS ${indexName(name, 'parked')} ON ${table} ("position") WHERE "state" = 'parked'`,
  ];
}

/** An index is in the schema of its table. */
function indexName(table: string, what: string): string {
  return `"${nameFor(table.slice(table.indexOf('.') + 1), what)}"`;
}

/** The columns of an index begin at 0, and those that it only includes come last. A view has no index, but its table may have one. */
async function inspect(tx: SqlExecutor, table: string): Promise<TableFacts | undefined> {
  const text = `SELECT "a"."attname"::text AS "name", CASE WHEN "c"."relkind" IN ('r', 'p') THEN (
  SELECT min("i"."indnkeyatts")::int FROM pg_catalog.pg_index "i"
  WHERE "i"."indrelid" = "c"."oid" AND "i"."indisunique" AND "i"."indisvalid" AND "i"."indimmediate" AND "i"."indpred" IS NULL
    AND "a"."attnum" = ANY(("i"."indkey"::int2[])[0:"i"."indnkeyatts" - 1])
) ELSE 1 END AS "uniqueWith"
FROM pg_catalog.pg_attribute "a" JOIN pg_catalog.pg_class "c" ON "c"."oid" = "a"."attrelid"
WHERE "c"."oid" = to_regclass($1::text) AND "a"."attnum" > 0 AND NOT "a"."attisdropped"`;
  const rows = namedRows<Column>((await tx.query(text, [quoted(table, '"')])).rows);
  if (rows.length === 0) return undefined;
  return { columns: new Map(rows.map(({ name, uniqueWith }) => [name, { uniqueWith: uniqueWith ?? undefined }])) };
}

interface Column {
  readonly name: string;
  readonly uniqueWith: number | null;
}

/** Reads of PostgreSQL never wait. */
async function readsOnly(): Promise<void> {}

async function insertKey(tx: SqlExecutor, table: string, key: string): Promise<boolean> {
  const text = `INSERT INTO ${quoted(table, '"')} ("key") VALUES ($1) ON CONFLICT DO NOTHING RETURNING "key"`;
  return (await tx.query(text, [key])).rows.length > 0;
}

/**
 * By the key, not by the place of a row, which is unique in one partition only. The age is part of both, for a log whose partitions could
 * each have a row with the same key.
 */
async function deleteOld(
  database: SqlDatabase,
  { table: name, column, key, state, retentionMs }: OldRows,
  limit: number,
): Promise<number> {
  const table = quoted(name, '"');
  const condition = state === undefined ? '' : ` AND "state" = '${state}'`;
  const isOld = `"${column}" < now() - make_interval(secs => $1::float8)${condition}`;
  const text =
    `WITH "old" AS (SELECT "${key}" FROM ${table} WHERE ${isOld} LIMIT ${limit} FOR UPDATE SKIP LOCKED), ` +
    `"deleted" AS (DELETE FROM ${table} WHERE "${key}" = ANY(ARRAY(SELECT "${key}" FROM "old")) AND ${isOld} RETURNING 1) ` +
    'SELECT count(*)::int AS "count" FROM "deleted"';
  const { rows } = await database.transaction((tx) => tx.query(text, [retentionMs / 1000]));
  return Number((rows as readonly { readonly count: unknown }[])[0]?.count ?? 0);
}
