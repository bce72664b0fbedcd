// PostgreSQL, MySQL and MariaDB at a port of the loopback interface, for what takes the URL of a database.

import { createServer } from 'node:net';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { type MySqlProduct, MySqlServer } from './mysql-server.js';
import { Postgres } from './postgres-server.js';

/** A server with a URL for each of its databases. Stop it after use. */
export interface UrlServer {
  /** Creates an empty database. @returns its URL */
  createDatabase(name: string): Promise<string>;
  stop(): Promise<void>;
}

export async function postgresServer(): Promise<UrlServer> {
  const port = await freePort();
  const server = await Postgres.start([`port=${port}`, 'listen_addresses=127.0.0.1']);
  return {
    createDatabase: async (name) => {
      const client = new pg.Client({ ...server.address, port });
      await client.connect();
      await client.query(`CREATE DATABASE ${name}`);
      await client.end();
      return `postgres://tester@127.0.0.1:${port}/${name}`;
    },
    stop: () => server.stop(),
  };
}

export async function mySqlServer(product: MySqlProduct): Promise<UrlServer> {
  const port = await freePort();
  const server = await MySqlServer.start(product, [`port=${port}`, 'bind-address=127.0.0.1', 'skip-networking=0']);
  return {
    createDatabase: async (name) => {
      const connection = await mysql.createConnection(server.address);
      await connection.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
      await connection.end();
      return `mysql://root@127.0.0.1:${port}/${name}`;
    },
    stop: () => server.stop(),
  };
}

/** The servers take a port from their settings only; between here and their start it could go to another. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
