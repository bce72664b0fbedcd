// The port on TypeORM with PostgreSQL. Structurally typed, so that TypeORM is not a dependency of this package.

import { UsageError } from '../support/errors.js';
import type { SqlDatabase, SqlExecutor } from './sql-port.js';

/** A TypeORM `QueryRunner`. */
interface TypeormQueryRunner {
  query(
    text: string,
    parameters: unknown[],
    useStructuredResult: true,
  ): Promise<{ readonly records: readonly object[] }>;
}

/** A TypeORM `EntityManager`: the one that a transaction passes to its callback. */
export interface TypeormManager {
  readonly queryRunner?: object | undefined;
}

/** A TypeORM `DataSource`, or its `manager`. */
export interface TypeormDataSource {
  transaction<T>(work: (manager: TypeormManager) => Promise<T>): Promise<T>;
}

/**
 * A TypeORM transaction as the port.
 * @throws UsageError `NO_TRANSACTION` for an `EntityManager` without a transaction: its statements would run on any connection
 */
export function typeormExecutor({ queryRunner }: TypeormManager): SqlExecutor {
  if (queryRunner === undefined) {
    const text =
      'this EntityManager does not belong to a transaction; use the one that dataSource.transaction() passes to its callback';
    throw new UsageError('NO_TRANSACTION', text, 'manager');
  }
  const runner = queryRunner as TypeormQueryRunner;
  return {
    // Structured, because the plain result has a different shape for UPDATE and DELETE.
    query: async (text, parameters) => ({ rows: (await runner.query(text, parameters, true)).records ?? [] }),
  };
}

/** A TypeORM data source as the port. */
export function typeormDatabase(dataSource: TypeormDataSource): SqlDatabase {
  return { transaction: (work) => dataSource.transaction((manager) => work(typeormExecutor(manager))) };
}
