// The servers on which the demos run in tests, each with databases of its own. Each starts and stops the same way.

import { hasMySql, type MySqlProduct, MySqlServer } from './mysql-server.js';
import { Postgres, postgresFolder } from './postgres-server.js';

export interface DatabaseServer {
  /** Creates an empty database. @returns its URL */
  createDatabase(name: string): Promise<string>;
  /** Ends the server as in a crash. Its data stays. */
  kill(): Promise<void>;
  /** Starts it again after {@link kill}. */
  revive(): Promise<void>;
  /** Stops the server and removes its files. Idempotent. */
  stop(): Promise<void>;
}

export interface DatabaseServerKind {
  readonly title: string;
  /** What installs it on Debian. */
  readonly installedBy: string;
  /** A setting for another time zone than UTC. */
  readonly farFromUtc: string;
  /** Settings with which a commit survives a crash of the server. */
  readonly surviving: readonly string[];
  isInstalled(): boolean;
  /** @param settings as `name=value`; they override the defaults for tests, which do not wait for the disk */
  start(settings?: readonly string[]): Promise<DatabaseServer>;
}

function mySql(product: MySqlProduct, installedBy: string): DatabaseServerKind {
  return {
    title: product,
    installedBy,
    farFromUtc: 'default-time-zone=+05:00',
    surviving: ['innodb-flush-log-at-trx-commit=2'],
    isInstalled: () => hasMySql(product),
    start: (settings) => MySqlServer.start(product, settings),
  };
}

export const DATABASE_SERVERS = {
  postgresql: {
    title: 'PostgreSQL',
    installedBy: 'apt-get install postgresql',
    farFromUtc: 'timezone=Asia/Karachi',
    surviving: [],
    isInstalled: () => postgresFolder() !== undefined,
    start: (settings?: readonly string[]) => Postgres.start(settings),
  },
  mariadb: mySql('MariaDB', 'apt-get install mariadb-server'),
  mysql: mySql('MySQL', 'tools/servers/install-mysql.sh'),
} as const satisfies Readonly<Record<string, DatabaseServerKind>>;

export type DatabaseServerName = keyof typeof DATABASE_SERVERS;
