// A PostgreSQL server with a connection pool. Several processes can use one database.

import { Logger } from '@nestjs/common';
import { PostgresDialect } from 'kysely';
import pg from 'pg';
import { CONNECT_TIMEOUT_MS, MAX_CONNECTIONS, type OpenedDatabase } from './opened-database.js';

export function openPostgres(name: string, url: string): OpenedDatabase {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: name,
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    Client: PreparingClient,
  });
  const logger = new Logger('Postgres');
  const warn = (error: Error): void => logger.warn(`a connection was lost: ${error.message}`);
  // Without listeners, the loss of a connection would end the process, whether it is idle or in use. The pool creates a new one.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', warn));
  return { flavor: 'postgresql', dialect: new PostgresDialect({ pool }) };
}

/**
 * Prepares each statement with parameters once per connection, so that PostgreSQL does not parse it again each time. A migration that changes a
 * table which a running process reads needs a restart of that process: PostgreSQL rejects a prepared statement with other columns than before.
 */
class PreparingClient extends pg.Client {
  /** By the text of the statement. Lists of each length are statements of their own; there are at most a few hundred. */
  private readonly names = new Map<string, string>();

  // biome-ignore lint/suspicious/noExplicitAny: the overloads of `pg`, of which Kysely calls one
  override query(statement: any, values?: any, callback?: any): any {
    if (typeof statement !== 'string' || !Array.isArray(values) || values.length === 0) {
      return super.query(statement, values, callback);
    }
    return super.query({ name: this.nameOf(statement), text: statement, values }, callback);
  }

  private nameOf(statement: string): string {
    const name = this.names.get(statement) ?? `statement-${this.names.size}`;
    this.names.set(statement, name);
    return name;
  }
}
