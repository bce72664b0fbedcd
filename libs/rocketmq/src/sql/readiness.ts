// Whether the tables are there, with all that the kit relies on.

import { raceAbort } from '../support/abort.js';
import { SECOND_MS } from '../support/clock.js';
import { withNotedEffects } from '../support/deadline.js';
import { RocketMQError } from '../support/errors.js';
import { describeError, type Logger } from '../support/logger.js';
import type { Dialect, TableFacts, TableNames } from './dialect.js';
import { dialectOf } from './dialects.js';
import { retryTransaction } from './log/retry-transaction.js';
import type { SqlDatabase } from './sql-port.js';
import { notReady } from './transaction-guards.js';

/** How long the check at the start may take. */
const AT_START_MS = 5 * SECOND_MS;

/**
 * Compares tables, and what belongs to them, with the schema.
 * @throws StateError `TABLE_NOT_READY` that names what is missing; `UNEXPECTED_ROWS`; errors of the database
 */
export async function assertReady(database: SqlDatabase, named: Partial<TableNames>): Promise<void> {
  const dialect = dialectOf(database);
  const problems = await retryTransaction(() =>
    database.transaction(async (tx) => {
      await dialect.readsOnly(tx);
      const found: string[] = [];
      for (const table of tablesOf(dialect, named))
        found.push(...problemsOf(table, await dialect.inspect(tx, table.name)));
      const locks = named.outbox === undefined ? undefined : dialect.locksOf(named.outbox);
      if (found.length > 0 || locks === undefined) return found;
      const { rows } = await tx.query(`SELECT COUNT(*) AS \`count\` FROM ${locks.table}`, []);
      const count = Number((rows as readonly { readonly count: unknown }[])[0]?.count);
      return count < locks.rows ? [`table ${named.outbox}_lock has ${count} of ${locks.rows} rows`] : [];
    }),
  );
  if (problems.length > 0) throw notReady(problems.join('; '));
}

function problemsOf({ name, columns, key }: Wanted, facts: TableFacts | undefined): string[] {
  if (facts === undefined) return [`there is no table ${name}`];
  const problems: string[] = [];
  const missing = columns.filter((column) => !facts.columns.has(column));
  if (missing.length > 0) problems.push(`table ${name} has no column ${missing.join(', ')}`);
  const { wrongEngine } = facts;
  if (wrongEngine !== undefined) problems.push(`table ${name} has the engine ${wrongEngine} instead of InnoDB`);
  const column = facts.columns.get(key);
  if (column === undefined) return problems;
  const { uniqueWith, looseCollation } = column;
  // The database numbers the rows of the outbox itself, so there the index may have other columns, too.
  if (uniqueWith === undefined || (uniqueWith > 1 && key !== 'position')) {
    problems.push(`table ${name} has no primary key or unique index of the column ${key} alone`);
  }
  if (looseCollation !== undefined) {
    problems.push(`column ${key} of table ${name} takes different keys for equal (collation ${looseCollation})`);
  }
  return problems;
}

/** Runs a check when an application starts. A database that is away at that time is logged: it is a matter for whoever needs it. */
export async function checkAtStart(check: () => Promise<void>, logger: Logger): Promise<void> {
  try {
    await withNotedEffects('check of the tables', AT_START_MS, undefined, ({ signal }) => raceAbort(check(), signal));
  } catch (error) {
    if (RocketMQError.is(error) && ['TABLE_NOT_READY', 'UNEXPECTED_ROWS'].includes(error.code)) throw error;
    logger.warn('the tables could not be checked at the start; the application starts nevertheless', {
      error: describeError(error),
    });
  }
}

/** A table as the DDL has it. */
interface Wanted {
  readonly name: string;
  readonly columns: readonly string[];
  /** The column that is its primary key. */
  readonly key: string;
}

/** No table can have this name. */
const NOT_WANTED = '-';

function tablesOf(dialect: Dialect, named: Partial<TableNames>): Wanted[] {
  const tables: Wanted[] = [];
  const names = ['log', 'inbox', 'outbox', 'schedule', 'limit'] as const satisfies readonly (keyof TableNames)[];
  const unnamed = Object.fromEntries(names.map((name) => [name, NOT_WANTED])) as unknown as TableNames;
  for (const statement of dialect.schema({ ...unnamed, ...named }).flat()) {
    const [, quotedName] = /^CREATE TABLE IF NOT EXISTS (\S+) \(/.exec(statement) ?? [];
    const name = quotedName?.replaceAll(/["`]/g, '');
    if (name === undefined || name.startsWith(NOT_WANTED)) continue;
    const lines = [...statement.matchAll(/^ {2}["`](\w+)["`] (.*)$/gm)].map(([, column = '', type = '']) => ({
      column,
      type,
    }));
    const key = lines.find(({ type }) => type.includes('PRIMARY KEY'))?.column ?? '';
    tables.push({ name, columns: lines.map(({ column }) => column), key });
  }
  return tables;
}
