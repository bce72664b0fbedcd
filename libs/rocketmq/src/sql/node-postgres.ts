// The port on a pool of node-postgres (`pg`). Typed by shape, so that pg is no dependency of this package.

import { StateError } from '../support/errors.js';
import type { SqlDatabase, SqlExecutor } from './sql-port.js';

/** A client that was taken out of a pool. */
export interface PooledClient extends SqlExecutor {
  on(event: 'error', listener: (error: Error) => void): unknown;
  removeListener(event: 'error', listener: (error: Error) => void): unknown;
  /** Gives it back; an error destroys it. */
  release(error?: Error | boolean): void;
}

/** A `pg.Pool`. */
export interface ClientPool {
  connect(): Promise<PooledClient>;
}

/**
 * A `pg.Pool` as the port: each transaction on a client of its own. It fails with a StateError `NOT_COMMITTED` when a statement
 * failed and `work` swallowed that.
 */
export function poolDatabase(pool: ClientPool): SqlDatabase {
  return {
    transaction: async (work) => {
      const client = await pool.connect();
      // A lost connection is told to this event, too, and would end the process if nobody listened. Statements fail by it anyhow.
      client.on('error', ignore);
      // A client whose end is not known would hand its open transaction to the next one who takes it.
      let isClean = false;
      try {
        await client.query('BEGIN', []);
        try {
          const result = await work(client);
          const { command } = (await client.query('COMMIT', [])) as { readonly command?: string };
          isClean = true;
          // PostgreSQL's answer to the commit of a transaction in which a statement has failed. It is no error to it.
          if (command === 'ROLLBACK') throw notCommitted();
          return result;
        } catch (error) {
          if (!isClean) isClean = await rollback(client);
          throw error;
        }
      } finally {
        client.removeListener('error', ignore);
        client.release(!isClean);
      }
    },
  };
}

function ignore(): void {}

function notCommitted(): StateError {
  const text =
    'the database rolled back instead of committing, since a statement had failed and its error was swallowed';
  return new StateError('NOT_COMMITTED', text);
}

async function rollback(client: SqlExecutor): Promise<boolean> {
  try {
    await client.query('ROLLBACK', []);
    return true;
  } catch {
    return false;
  }
}
