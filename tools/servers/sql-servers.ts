// The servers that the tests of the sql kit run on, and the statements that differ between them.

import { type MySqlProduct, MySqlServer } from './mysql-server.js';
import { Postgres } from './postgres-server.js';
import type { DatabasePlace } from './sql-databases.js';

/** What differs between the servers. */
export interface Server {
  /** The isolation levels of its transactions, each by its setting of the server. The first is the default. */
  readonly isolation: Readonly<Record<string, string>>;
  /** @param setting of {@link isolation} */
  start(setting?: string): Promise<{ readonly place: DatabasePlace; stop(): Promise<void> }>;
  pause(seconds: number): string;
  readonly endOfConnection: string;
  readonly oldKeys: string;
  /** Has a row while somebody waits for a lock. */
  readonly waiting: string;
}

export const POSTGRESQL: Server = {
  isolation: {
    'READ COMMITTED': 'default_transaction_isolation=read committed',
    'REPEATABLE READ': 'default_transaction_isolation=repeatable read',
    SERIALIZABLE: 'default_transaction_isolation=serializable',
  },
  start: async (setting) => {
    const postgres = await Postgres.start(setting === undefined ? [] : [setting]);
    return { place: { kind: 'postgres', address: postgres.address }, stop: () => postgres.stop() };
  },
  pause: (seconds) => `SELECT pg_sleep(${seconds})`,
  endOfConnection: 'SELECT pg_terminate_backend(pg_backend_pid())',
  oldKeys: `INSERT INTO rocketmq_inbox ("key", "created_at") SELECT 'old-' || n, now() - interval '8 days' FROM generate_series(1, 5000) n`,
  waiting: `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`,
};

const mySql = (product: MySqlProduct): Server => ({
  isolation: {
    'REPEATABLE READ': 'transaction-isolation=REPEATABLE-READ',
    'READ COMMITTED': 'transaction-isolation=READ-COMMITTED',
    SERIALIZABLE: 'transaction-isolation=SERIALIZABLE',
  },
  start: async (setting) => {
    const server = await MySqlServer.start(product, setting === undefined ? [] : [setting]);
    return { place: { kind: 'mysql', address: server.address }, stop: () => server.stop() };
  },
  pause: (seconds) => `SELECT SLEEP(${seconds})`,
  endOfConnection: 'KILL CONNECTION_ID()',
  oldKeys: `INSERT INTO rocketmq_inbox SELECT CONCAT('old-', UUID()), UTC_TIMESTAMP(3) - INTERVAL 8 DAY
    FROM information_schema.COLUMNS a, information_schema.COLUMNS b LIMIT 5000`,
  waiting: `SELECT 1 FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'`,
});

export const MYSQL: Readonly<Record<MySqlProduct, Server>> = { MariaDB: mySql('MariaDB'), MySQL: mySql('MySQL') };

/** The levels in `npm test`, each with its setting: MySQL has its default there, and the others in `npm run check databases`. */
export function levelsOf(server: Server): [level: string, setting: string][] {
  const levels = Object.entries(server.isolation);
  return server === MYSQL.MySQL ? levels.slice(0, 1) : levels;
}
