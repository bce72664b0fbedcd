// The port on a pool of mysql2 (`mysql2/promise`). Structurally typed, so that mysql2 is not a dependency of this package.

import { rowsOf } from '../rows.js';
import type { SqlDatabase, SqlExecutor } from '../sql-port.js';
import { noTransaction, untilEnded } from '../transaction-guards.js';

/** A statement with the form of its rows, in place of that of the connection: objects with the columns, and texts as strings. */
interface Mysql2Statement {
  readonly sql: string;
  readonly rowsAsArray: false;
  readonly nestTables: false;
  /** Functions that the connection has for its types stay in effect. */
  readonly typeCast: true;
}

/** A connection of mysql2 with promises. */
export interface Mysql2Connection {
  query(statement: Mysql2Statement, values: unknown[]): Promise<readonly [unknown, unknown]>;
}

/** The form of rows that the kit needs, for libraries that pass options on to mysql2. */
export const MYSQL2_ROWS = { rowsAsArray: false, nestTables: false, typeCast: true } as const;

/** A connection that was acquired from a pool. */
export interface Mysql2PooledConnection extends Mysql2Connection {
  release(): void;
  destroy(): void;
}

/** A pool of `mysql2/promise`. */
export interface Mysql2Pool {
  getConnection(): Promise<Mysql2PooledConnection>;
}

/**
 * A connection of `mysql2/promise` on which a transaction has begun, as the port.
 * @throws UsageError `NO_TRANSACTION` for a pool: its statements would run on any connection
 */
export function mysql2Executor(connection: Mysql2Connection): SqlExecutor {
  if ('getConnection' in connection)
    throw noTransaction('this pool', 'mysql2Database(pool).transaction()', 'connection');
  return {
    dialect: 'mysql',
    query: async (text, parameters) => {
      const [result] = await connection.query(statement(text), parameters);
      return { rows: rowsOf(result, 'mysql', text) };
    },
  };
}

/** A pool of `mysql2/promise` as the port: each transaction uses its own connection, with the isolation level that it is set to. */
export function mysql2Database(pool: Mysql2Pool): SqlDatabase {
  return {
    dialect: 'mysql',
    transaction: async (work) => {
      const connection = await pool.getConnection();
      // A connection whose transaction may still be open must not be reused by the next caller.
      let isClean = false;
      try {
        await connection.query(statement('START TRANSACTION'), []);
        try {
          const result = await untilEnded(mysql2Executor(connection), work);
          await connection.query(statement('COMMIT'), []);
          isClean = true;
          return result;
        } catch (error) {
          isClean = await rollback(connection);
          throw error;
        }
      } finally {
        if (isClean) connection.release();
        else connection.destroy();
      }
    },
  };
}

async function rollback(connection: Mysql2Connection): Promise<boolean> {
  try {
    await connection.query(statement('ROLLBACK'), []);
    return true;
  } catch {
    return false;
  }
}

function statement(sql: string): Mysql2Statement {
  return { sql, ...MYSQL2_ROWS };
}
