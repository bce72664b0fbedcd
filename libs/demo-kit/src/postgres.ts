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
  });
  const logger = new Logger('Postgres');
  const warn = (error: Error): void => logger.warn(`a connection was lost: ${error.message}`);
  // Without listeners, the loss of a connection would end the process, whether it is idle or in use. The pool creates a new one.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', warn));
  return { flavor: 'postgresql', dialect: new PostgresDialect({ pool }) };
}
