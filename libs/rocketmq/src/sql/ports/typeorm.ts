// The port on TypeORM with PostgreSQL, MySQL or MariaDB. Structurally typed, so that TypeORM is not a dependency of this package.

import { rowsOf } from '../rows.js';
import { alone, type DialectName, type SqlDatabase, type SqlExecutor } from '../sql-port.js';
import { noTransaction } from '../transaction-guards.js';

/** A TypeORM `QueryRunner`. */
interface TypeormQueryRunner extends TypeormOptions {
  readonly isTransactionActive?: boolean;
  readonly transactionDepth?: number;
  release(): Promise<void>;
  query(text: string, parameters: unknown[], useStructuredResult: true): Promise<{ readonly records?: unknown }>;
}

/** A TypeORM `EntityManager`: the one that a transaction passes to its callback. */
export interface TypeormManager {
  readonly queryRunner?: object | undefined;
}

/** What says which kind of database it is: a `DataSource` has it itself. */
interface TypeormOptions {
  readonly options?: { readonly type: string };
  readonly connection?: { readonly options: { readonly type: string } };
}

/** A TypeORM `DataSource`, or its `manager`. */
export interface TypeormDataSource extends TypeormOptions {
  transaction<T>(work: (manager: TypeormManager) => Promise<T>): Promise<T>;
}

/** A `DataSource`; its `manager` has it as `connection`. */
interface TypeormRunners {
  createQueryRunner(): object;
}

/**
 * A TypeORM transaction as the port.
 * @throws UsageError `NO_TRANSACTION` for an `EntityManager` without a transaction: its statements would run on any connection. For one
 *   whose query runner has begun none, or has ended it, inbox and outbox reject the executor
 */
export function typeormExecutor({ queryRunner }: TypeormManager): SqlExecutor {
  if (queryRunner === undefined) throw noTransaction('this EntityManager', 'dataSource.transaction()', 'manager');
  const runner = queryRunner as TypeormQueryRunner;
  const dialect = dialectOf(runner);
  return {
    dialect,
    get hasTransaction() {
      return runner.isTransactionActive !== false;
    },
    get isInSavepoint() {
      return (runner.transactionDepth ?? 1) > 1;
    },
    // Structured, because the plain result has a different shape for UPDATE and DELETE.
    query: async (text, parameters) => {
      const { records } = await runner.query(text, parameters, true);
      return { rows: rowsOf(records, dialect, text) };
    },
  };
}

/** A TypeORM data source as the port. */
export function typeormDatabase(dataSource: TypeormDataSource): SqlDatabase {
  const dialect = dialectOf(dataSource);
  return {
    dialect,
    transaction: (work) => dataSource.transaction((manager) => work(typeormExecutor(manager))),
    ...alone(dialect, async (text, parameters) => {
      const { connection = dataSource } = dataSource as unknown as { readonly connection?: TypeormRunners };
      const runner = (connection as TypeormRunners).createQueryRunner() as TypeormQueryRunner;
      try {
        return await typeormExecutor({ queryRunner: runner }).query(text, parameters);
      } finally {
        await runner.release();
      }
    }),
  };
}

function dialectOf({ options, connection }: TypeormOptions): DialectName {
  const type = (options ?? connection?.options)?.type;
  return type === 'mysql' || type === 'mariadb' || type === 'aurora-mysql' ? 'mysql' : 'postgresql';
}
