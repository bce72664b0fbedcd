// Whether the tables are there, with all their columns.

import { raceAbort } from '../support/abort.js';
import { SECOND_MS } from '../support/clock.js';
import { withDeadline } from '../support/deadline.js';
import { RocketMQError } from '../support/errors.js';
import { type Dialect, dialectOf, type TableNames } from './dialect.js';
import { notReady } from './misuse.js';
import { retryTransaction } from './retry-transaction.js';
import { DEFAULT_TABLES } from './schema.js';
import type { SqlDatabase } from './sql-port.js';

/** How long the check at the start may take. */
const AT_START_MS = 5 * SECOND_MS;

/**
 * Compares a table, and what belongs to it, with the schema.
 * @throws StateError `TABLE_NOT_READY` that names what is missing; `UNEXPECTED_ROWS`; errors of the database
 */
export async function assertReady(database: SqlDatabase, named: Partial<TableNames>): Promise<void> {
  const dialect = dialectOf(database);
  const wanted = [...tablesOf(dialect, named)].filter(([table]) =>
    Object.values(named).some((name) => table === name || table.startsWith(`${name}_`)),
  );
  const problems = await retryTransaction(() =>
    database.transaction(async (tx) => {
      const found: string[] = [];
      for (const [table, columns] of wanted) {
        const present = new Set(await dialect.columnsOf(tx, table));
        const missing = columns.filter((column) => !present.has(column));
        if (present.size === 0) found.push(`there is no table ${table}`);
        else if (missing.length > 0) found.push(`table ${table} has no column ${missing.join(', ')}`);
      }
      return found;
    }),
  );
  if (problems.length > 0) throw notReady(problems.join('; '));
}

/** Runs a check when an application starts. A database that is away at that time is a matter for whoever needs it. */
export async function checkAtStart(check: () => Promise<void>): Promise<void> {
  try {
    await withDeadline('check of the tables', AT_START_MS, undefined, ({ signal }) => raceAbort(check(), signal));
  } catch (error) {
    if (RocketMQError.is(error) && ['TABLE_NOT_READY', 'UNEXPECTED_ROWS'].includes(error.code)) throw error;
  }
}

/** The columns of each table, by its name, as the DDL has them. */
function tablesOf(dialect: Dialect, named: Partial<TableNames>): Map<string, readonly string[]> {
  const tables = new Map<string, readonly string[]>();
  for (const statement of dialect.schema({ ...DEFAULT_TABLES, ...named }).flat()) {
    const [, name] = /^CREATE TABLE IF NOT EXISTS (\S+) \(/.exec(statement) ?? [];
    if (name === undefined) continue;
    const columns = [...statement.matchAll(/^ {2}["`](\w+)["`] /gm)].map(([, column = '']) => column);
    tables.set(name.replaceAll(/["`]/g, ''), columns);
  }
  return tables;
}
