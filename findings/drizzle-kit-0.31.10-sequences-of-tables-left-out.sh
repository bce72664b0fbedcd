#!/usr/bin/env bash
# drizzle-kit 0.31.10 with drizzle-orm 0.45.4, on PostgreSQL as PGlite 0.5.17 has it.
#
# Guessed: `drizzle-kit push` leaves alone what belongs to a table that `tablesFilter` excludes, and ends with a code other than 0 when a statement fails.
# Seen: the table itself is left alone. The sequence of its identity column is taken for one that the schema lacks: push runs DROP SEQUENCE, which
#   PostgreSQL rejects because the column needs it (2BP01), prints the error, and ends with code 0. So each push fails on a database that has such a table of
#   another library, after the new tables were created, and a pipeline takes it for a success.
#
# What it means for who ships tables: a schema of their own (`schemaFilter` is `public` by default), or `generate` and `migrate`, which drop nothing
# that they do not know. Needs Node.js 20 or newer. Takes about 20 s.

set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{}' >package.json
npm install --silent --no-audit --no-fund drizzle-kit@0.31.10 drizzle-orm@0.45.4 @electric-sql/pglite@0.5.17

cat >schema.ts <<'TS'
import { pgTable, text } from 'drizzle-orm/pg-core';
export const orders = pgTable('orders', { id: text('id').primaryKey() });
TS
cat >drizzle.config.ts <<'TS'
import { defineConfig } from 'drizzle-kit';
const tablesFilter = ['!log_*'];
export default defineConfig({ dialect: 'postgresql', driver: 'pglite', schema: './schema.ts', dbCredentials: { url: './db' }, tablesFilter });
TS
cat >query.mjs <<'JS'
import { PGlite } from '@electric-sql/pglite';
const database = new PGlite('./db');
const { rows } = await database.query(process.argv[2]);
console.log(rows.map((row) => Object.values(row).join()).join(' '));
await database.close();
JS

tables="SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"
for column in 'text PRIMARY KEY' 'bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY'; do
  rm -rf db
  node query.mjs "CREATE TABLE log_entries (position $column)" >/dev/null
  code=0
  npx drizzle-kit push --force >out 2>&1 || code=$?
  echo "position $column"
  echo "  code $code, statement that failed: $(sed -n "s/.*query: '\(DROP[^;]*\);'.*/\1/p" out | tr -d '"' | sort -u)"
  echo "  tables: $(node query.mjs "$tables")"
done >seen

diff seen - <<'SEEN'
position text PRIMARY KEY
  code 0, statement that failed: 
  tables: log_entries orders
position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY
  code 0, statement that failed: DROP SEQUENCE public.log_entries_position_seq
  tables: log_entries orders
SEEN
cat seen
