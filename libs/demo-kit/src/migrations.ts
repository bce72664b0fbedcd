// Runs the migrations of a demo: files of SQL, in the order of their names. Each is recorded when it is done, and not run again.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Kysely, type Migration, Migrator, sql } from 'kysely';
import type { DatabaseOptions, SqlFlavor } from './opened-database.js';

/**
 * Runs the migrations that the database does not have. Processes that start at the same time take turns.
 *
 * MySQL has no transactions for DDL, so a process that is killed may leave half a migration. The next one runs it again: every statement
 * must allow that, as `CREATE TABLE IF NOT EXISTS` does.
 */
export async function migrate<Tables>(
  db: Kysely<Tables>,
  flavor: SqlFlavor,
  { name, migrationsFolder }: Pick<DatabaseOptions, 'name' | 'migrationsFolder'>,
): Promise<void> {
  // Each app has its own; with a common one, each would miss the other's migrations.
  const migrationTableName = `${name.replaceAll('-', '_')}_migrations`;
  const migrator = new Migrator({
    db,
    migrationTableName,
    migrationLockTableName: `${migrationTableName}_lock`,
    provider: { getMigrations: async () => migrationsIn(join(migrationsFolder, flavor)) },
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}

function migrationsIn(folder: string): Record<string, Migration> {
  const names = readdirSync(folder).filter((name) => name.endsWith('.sql'));
  return Object.fromEntries(names.map((name) => [name, migrationOf(readFileSync(join(folder, name), 'utf8'))]));
}

function migrationOf(text: string): Migration {
  return {
    up: async (db) => {
      // Clients of MySQL run one statement at a time.
      for (const statement of text.split(/;\s*$/m)) if (statement.trim() !== '') await sql.raw(statement).execute(db);
    },
  };
}
