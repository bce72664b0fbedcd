// The limits on PostgreSQL.

import type { LimitRow, LimitStatements } from '../dialect.js';
import { storedLimitOf } from '../rows.js';
import { runAlone, type SqlDatabase } from '../sql-port.js';
import { quoted } from '../table-name.js';

export const limits: LimitStatements = { read, write };

async function read(database: SqlDatabase, table: string, key: string): Promise<LimitRow> {
  const text =
    'SELECT "n"."nowMs", "t"."version"::float8 AS "version", "t"."state" ' +
    'FROM (SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS "nowMs") "n" ' +
    `LEFT JOIN ${quoted(table, '"')} "t" ON "t"."key" = $1::text`;
  return storedLimitOf((await runAlone(database, text, [key])).rows);
}

async function write(
  database: SqlDatabase,
  name: string,
  key: string,
  { version, state }: { readonly version: number; readonly state: string },
): Promise<boolean> {
  const table = quoted(name, '"');
  const change =
    version === 0
      ? `INSERT INTO ${table} ("key", "version", "state") VALUES ($1::text, $2::bigint + 1, $3::text) ON CONFLICT DO NOTHING`
      : `UPDATE ${table} SET "version" = "version" + 1, "state" = $3::text WHERE "key" = $1::text AND "version" = $2::bigint`;
  const text = `WITH "written" AS (${change} RETURNING "key") SELECT "key" FROM "written"`;
  return (await runAlone(database, text, [key, version, state])).rows.length > 0;
}
