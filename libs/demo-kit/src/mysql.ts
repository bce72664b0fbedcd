// A MySQL or MariaDB server with a connection pool. Several processes can use one database.

import { MysqlDialect, type MysqlPool, type MysqlPoolConnection } from 'kysely';
import { createPool } from 'mysql2';
import { CONNECT_TIMEOUT_MS, MAX_CONNECTIONS, type OpenedDatabase } from './opened-database.js';

/** @param url as mysql2 takes it; the options of its query, such as `?socketPath=/run/mysqld/mysqld.sock`, are those of mysql2 */
export function openMysql(name: string, url: string): OpenedDatabase {
  const pool = createPool({
    uri: url,
    connectAttributes: { program_name: name },
    connectionLimit: MAX_CONNECTIONS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // DATETIME has no time zone; the demos keep UTC in it, whatever the zone of the server and of this process.
    timezone: 'Z',
  });
  return { flavor: 'mysql', dialect: new MysqlDialect({ pool: new DrainingPool(pool) }) };
}

/** A pool of mysql2 ends connections that are in use. This one waits for them first, as that of `pg` does. */
class DrainingPool implements MysqlPool {
  private inUse = 0;
  private onIdle = (): void => {};

  constructor(private readonly pool: MysqlPool) {}

  getConnection(callback: (error: unknown, connection: MysqlPoolConnection) => void): void {
    this.pool.getConnection((error, connection) => {
      if (error) {
        callback(error, connection);
        return;
      }
      this.inUse++;
      const release = (): void => {
        connection.release();
        this.inUse--;
        if (this.inUse === 0) this.onIdle();
      };
      callback(undefined, { query: connection.query.bind(connection) as MysqlPoolConnection['query'], release });
    });
  }

  end(callback: (error: unknown) => void): void {
    this.onIdle = () => this.pool.end(callback);
    if (this.inUse === 0) this.onIdle();
  }
}
