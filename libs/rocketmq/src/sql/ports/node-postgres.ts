// The port on a pool of node-postgres (`pg`). Structurally typed, so that pg is not a dependency of this package.

import { StateError } from '../../support/errors.js';
import type { SqlDatabase, SqlExecutor } from '../sql-port.js';
import { untilEnded } from '../transaction-guards.js';

/** A client that was acquired from a pool. */
export interface PooledClient extends SqlExecutor {
  on(event: 'error', listener: (error: Error) => void): unknown;
  removeListener(event: 'error', listener: (error: Error) => void): unknown;
  /** Releases it; an error destroys it. */
  release(error?: Error | boolean): void;
}

/** A `pg.Pool`. */
export interface ClientPool {
  connect(): Promise<PooledClient>;
}

/**
 * A `pg.Pool` as the port: each transaction uses its own client. It fails with a StateError `NOT_COMMITTED` when a statement
 * failed and `work` swallowed the error.
 */
export function poolDatabase(pool: ClientPool): SqlDatabase {
  return {
    transaction: (work) => withClient(pool, (client) => inTransaction(client, work)),
    queryAlone: (text, parameters) =>
      withClient(pool, async (client) => {
        const { rows } = await client.query(text, parameters);
        return { isClean: true, result: { rows } };
      }),
  };
}

/** What a client was used for. */
type Outcome<T> =
  // A client whose transaction may still be open must not be reused by the next caller.
  { readonly isClean: boolean; readonly result: T } | { readonly isClean: boolean; readonly error: unknown };

async function withClient<T>(pool: ClientPool, use: (client: PooledClient) => Promise<Outcome<T>>): Promise<T> {
  const client = await pool.connect();
  // A lost connection also emits this event, which would end the process without a listener. The statements fail anyway.
  client.on('error', ignore);
  let isClean = false;
  try {
    const outcome = await use(client);
    isClean = outcome.isClean;
    if ('error' in outcome) throw outcome.error;
    return outcome.result;
  } finally {
    client.removeListener('error', ignore);
    client.release(!isClean);
  }
}

async function inTransaction<T>(client: PooledClient, work: (tx: SqlExecutor) => Promise<T>): Promise<Outcome<T>> {
  await client.query('BEGIN', []);
  try {
    const result = await untilEnded(client, work);
    const { command } = (await client.query('COMMIT', [])) as { readonly command?: string };
    // PostgreSQL's answer to COMMIT after a failed statement in the transaction. It is not an error for PostgreSQL.
    return command === 'ROLLBACK' ? { isClean: true, error: notCommitted() } : { isClean: true, result };
  } catch (error) {
    return { isClean: await rollback(client), error };
  }
}

function ignore(): void {}

function notCommitted(): StateError {
  const text =
    'the database rolled back instead of committing, because a statement had failed and its error was swallowed';
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
