// The port on MikroORM with PostgreSQL, MySQL or MariaDB. Structurally typed, so that MikroORM is not a dependency of this package.

import { rowsOf } from '../rows.js';
import { alone, type DialectName, type SqlDatabase, type SqlExecutor } from '../sql-port.js';
import { noTransaction } from '../transaction-guards.js';
import { templateOf } from './placeholders.js';

/** An `EntityManager` of MikroORM for a SQL database. */
export interface MikroOrmManager {
  isInTransaction(): boolean;
  execute(text: string, parameters: unknown[]): Promise<unknown>;
  getPlatform(): { getDefaultSchemaName(): string | undefined };
}

/** The `EntityManager` of a `MikroORM`. */
export interface MikroOrmDatabase extends MikroOrmManager {
  fork(): MikroOrmManager & {
    transactional<T>(work: (em: MikroOrmManager) => Promise<T>): Promise<T>;
  };
}

/**
 * A MikroORM transaction as the port: the `EntityManager` that `em.transactional()` passes to its callback.
 * @throws UsageError `NO_TRANSACTION` for an `EntityManager` without a transaction: its statements would run on any connection
 */
export function mikroOrmExecutor(em: MikroOrmManager): SqlExecutor {
  assertInTransaction(em);
  const { dialect, query } = executorOf(em);
  return {
    dialect,
    query: async (text, parameters) => {
      assertInTransaction(em);
      return query(text, parameters);
    },
  };
}

function executorOf(em: MikroOrmManager): SqlExecutor {
  const dialect = dialectOf(em);
  return {
    dialect,
    query: async (text, parameters) => {
      const { strings, values } = templateOf(text, parameters, dialect);
      const rows = await em.execute(strings.join('?'), [...values]);
      return { rows: rowsOf(rows, dialect, text) };
    },
  };
}

function assertInTransaction(em: MikroOrmManager): void {
  if (!em.isInTransaction()) throw noTransaction('this EntityManager', 'em.transactional()', 'em');
}

/** An `EntityManager` as the port. Its transactions are those of a fork, so that they neither see nor flush its entities. */
export function mikroOrmDatabase(em: MikroOrmDatabase): SqlDatabase {
  const dialect = dialectOf(em);
  return {
    dialect,
    transaction: (work) => em.fork().transactional((inner) => work(mikroOrmExecutor(inner))),
    ...alone(dialect, (text, parameters) => executorOf(em.fork()).query(text, parameters)),
  };
}

/** Only PostgreSQL has schemas in a database, and a name for the first of them. */
function dialectOf(em: MikroOrmManager): DialectName {
  return em.getPlatform().getDefaultSchemaName() === undefined ? 'mysql' : 'postgresql';
}
