// The servers on which the demos run in tests, each with databases of its own. Each starts and stops the same way.

import { hasMariaDb, MariaDb } from './mariadb-server.js';
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
  /** The package of Debian that has it. */
  readonly packageName: string;
  /** A setting for another time zone than UTC. */
  readonly farFromUtc: string;
  /** Settings with which a commit survives a crash of the server. */
  readonly surviving: readonly string[];
  isInstalled(): boolean;
  /** @param settings as `name=value`; they override the defaults for tests, which do not wait for the disk */
  start(settings?: readonly string[]): Promise<DatabaseServer>;
}

export const DATABASE_SERVERS = {
  postgresql: {
    title: 'PostgreSQL',
    packageName: 'postgresql',
    farFromUtc: 'timezone=Asia/Karachi',
    surviving: [],
    isInstalled: () => postgresFolder() !== undefined,
    start: (settings?: readonly string[]) => Postgres.start(settings),
  },
  mariadb: {
    title: 'MariaDB',
    packageName: 'mariadb-server',
    farFromUtc: 'default-time-zone=+05:00',
    surviving: ['innodb-flush-log-at-trx-commit=2'],
    isInstalled: hasMariaDb,
    start: (settings?: readonly string[]) => MariaDb.start(settings),
  },
} as const satisfies Readonly<Record<string, DatabaseServerKind>>;

export type DatabaseServerName = keyof typeof DATABASE_SERVERS;
