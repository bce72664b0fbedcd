// A MariaDB server for one test: its data in a temporary folder, with a socket there, removed afterwards.

import { type ChildProcess, execFile } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import mysql from 'mysql2/promise';
import { ended, keep, ready, unprivilegedUser } from './database-process.js';

/** The path of a program; undefined if MariaDB is not installed. */
function programOf(name: string): string | undefined {
  const folders = ['/usr/sbin', '/usr/bin', ...(process.env.PATH ?? '').split(delimiter)];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** Whether MariaDB is installed. */
export function hasMariaDb(): boolean {
  return programOf('mariadbd') !== undefined && programOf('mariadb-install-db') !== undefined;
}

/** Connection options for a client of `mysql2`. */
export interface MariaDbAddress {
  readonly socketPath: string;
  readonly user: string;
  readonly database: string;
}

/** A running server. */
export class MariaDb {
  private stopped: Promise<void> | undefined;

  private constructor(
    readonly address: MariaDbAddress,
    private readonly launch: () => Promise<ChildProcess>,
    private keeper: ChildProcess,
    private readonly folder: string,
  ) {}

  /**
   * Creates a server with an empty database `test` and starts it. It ends with this process, however that ends.
   * @param settings as `name=value`; they override the defaults for tests, which do not wait for the disk
   * @throws Error if it does not start
   */
  static async start(settings: readonly string[] = []): Promise<MariaDb> {
    const [server, installer] = [programOf('mariadbd'), programOf('mariadb-install-db')];
    if (server === undefined || installer === undefined) throw new Error('MariaDB is not installed');
    const folder = mkdtempSync(join(tmpdir(), 'rocketmq-sql-'));
    try {
      const user = unprivilegedUser('mysql', 'nobody');
      if (user !== undefined) chownSync(folder, user.uid, user.gid);
      const data = join(folder, 'data');
      const install = [
        '--no-defaults',
        `--datadir=${data}`,
        '--auth-root-authentication-method=normal',
        '--skip-test-db',
      ];
      await promisify(execFile)(installer, install, { ...user, cwd: folder });
      const socketPath = join(folder, 'socket');
      const own = [
        `datadir=${data}`,
        `socket=${socketPath}`,
        `pid-file=${join(folder, 'pid')}`,
        'skip-networking',
        'innodb-flush-log-at-trx-commit=0',
        'innodb-buffer-pool-size=64M',
      ];
      const args = ['--no-defaults', ...[...own, ...settings].map((setting) => `--${setting}`)];
      const launch = async (): Promise<ChildProcess> => {
        const keeper = keep(server, args, { cwd: folder, user, signal: 'KILL' });
        await ready('mariadbd', keeper, () => prepared(socketPath));
        return keeper;
      };
      return new MariaDb({ socketPath, user: 'root', database: 'test' }, launch, await launch(), folder);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Creates a database. @returns its URL */
  async createDatabase(name: string): Promise<string> {
    const { socketPath, user, database } = this.address;
    const urlOf = (one: string): string =>
      `mysql://${user}@localhost/${one}?socketPath=${encodeURIComponent(socketPath)}`;
    const connection = await mysql.createConnection(urlOf(database));
    try {
      await connection.query(`CREATE DATABASE ${name}`);
    } finally {
      await connection.end();
    }
    return urlOf(name);
  }

  /** Kills the server. Its data stays, as far as it is on the disk: see `innodb-flush-log-at-trx-commit`. */
  kill(): Promise<void> {
    return ended(this.keeper);
  }

  /** Starts it again after {@link kill}. */
  async revive(): Promise<void> {
    this.keeper = await this.launch();
  }

  /** Stops the server and removes its files. Idempotent. */
  stop(): Promise<void> {
    this.stopped ??= ended(this.keeper).then(() =>
      rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 }),
    );
    return this.stopped;
  }
}

/** Creates the database as soon as the server accepts connections. */
async function prepared(socketPath: string): Promise<boolean> {
  if (!existsSync(socketPath)) return false;
  const connection = await mysql.createConnection({ socketPath, user: 'root' }).catch(() => undefined);
  if (connection === undefined) return false;
  try {
    await connection.query('CREATE DATABASE IF NOT EXISTS test CHARACTER SET utf8mb4');
    return true;
  } finally {
    await connection.end();
  }
}
