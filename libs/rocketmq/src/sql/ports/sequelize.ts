// The port on Sequelize 6 with PostgreSQL, MySQL or MariaDB. Structurally typed, so that Sequelize is not a dependency of this package.

import { rowsOf } from '../rows.js';
import { alone, type DialectName, type SqlDatabase, type SqlExecutor } from '../sql-port.js';

/** A transaction of Sequelize: the one that `sequelize.transaction()` passes to its callback. */
export interface SequelizeTransaction {
  readonly LOCK: unknown;
  commit(): Promise<void>;
}

/** A Sequelize instance. */
export interface SequelizeDatabase {
  getDialect(): string;
  transaction<T>(work: (transaction: SequelizeTransaction) => PromiseLike<T>): Promise<T>;
}

/** What both have at run time. */
interface Queries {
  getDialect(): string;
  query(text: string, options: object): Promise<readonly unknown[]>;
}

/** Overrides the option `query` of the application's instance, which may set another form of rows. */
const PLAIN = { raw: true, type: 'RAW', nest: false, plain: false, model: undefined, instance: undefined };

/** A transaction of Sequelize as the port. */
export function sequelizeExecutor(transaction: SequelizeTransaction): SqlExecutor {
  const { sequelize } = transaction as unknown as { readonly sequelize: Queries };
  return executorOf(sequelize, transaction);
}

/** @param transaction null: outside of any, also of one that Sequelize keeps by CLS */
function executorOf(sequelize: Queries, transaction: SequelizeTransaction | null): SqlExecutor {
  const dialect = dialectOf(sequelize);
  return {
    dialect,
    query: async (text, parameters) => {
      // Prepared statements of MySQL reject the numbers of JavaScript after LIMIT, so there the values are put in by Sequelize.
      const values = dialect === 'mysql' ? { replacements: parameters } : { bind: parameters };
      const [rows] = await sequelize.query(text, { ...PLAIN, transaction, ...(parameters.length > 0 ? values : {}) });
      return { rows: rowsOf(rows, dialect, text) };
    },
  };
}

/** A Sequelize instance as the port. Each transaction is one of its own, also inside of a transaction that Sequelize keeps by CLS. */
export function sequelizeDatabase(sequelize: SequelizeDatabase): SqlDatabase {
  const { dialect, query } = executorOf(sequelize as unknown as Queries, null);
  return {
    dialect,
    transaction: (work) => sequelize.transaction((transaction) => work(sequelizeExecutor(transaction))),
    ...alone(dialect, query),
  };
}

function dialectOf(sequelize: { getDialect(): string }): DialectName {
  const name = sequelize.getDialect();
  return name === 'mysql' || name === 'mariadb' ? 'mysql' : 'postgresql';
}
