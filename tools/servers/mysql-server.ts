// A MySQL or MariaDB server for one test: its data in a temporary folder, with a socket there, removed afterwards.

import { type ChildProcess, execFile } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import mysql from 'mysql2/promise';
import { ended, type Ids, keep, ready, unprivilegedUser } from './database-process.js';

export type MySqlProduct = 'MariaDB' | 'MySQL';
export const MYSQL_PRODUCTS: readonly MySqlProduct[] = ['MariaDB', 'MySQL'];

/** How to create the data of a server, and how to run it. */
interface Program {
  readonly server: string;
  readonly user: Ids | undefined;
  /** The program and its arguments. */
  initialize(data: string): readonly [string, ...string[]];
  readonly settings: readonly string[];
}

/** The path of a program; undefined if there is none. */
function pathOf(name: string): string | undefined {
  const folders = ['/usr/sbin', '/usr/bin', ...(process.env.PATH ?? '').split(delimiter)];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** What tools/servers/install-mysql.sh has put into the user's cache, or a MySQL of the machine. MariaDB has a `mysqld`, too. */
function mysqldPath(): string | undefined {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const cached = join(cache, 'nestjs-rocketmq', 'mysql', 'mysqld');
  if (existsSync(cached)) return cached;
  const path = pathOf('mysqld');
  return path === undefined || basename(realpathSync(path)) === 'mariadbd' ? undefined : path;
}

function programOf(product: MySqlProduct): Program | undefined {
  if (product === 'MariaDB') {
    const [server, installer] = [pathOf('mariadbd'), pathOf('mariadb-install-db')];
    if (server === undefined || installer === undefined) return undefined;
    const options = ['--no-defaults', '--auth-root-authentication-method=normal', '--skip-test-db'];
    return {
      server,
      user: unprivilegedUser('mysql', 'nobody'),
      initialize: (data) => [installer, ...options, `--datadir=${data}`],
      settings: [],
    };
  }
  const server = mysqldPath();
  if (server === undefined) return undefined;
  // The folder of root's cache is closed to other users.
  const asRoot = process.getuid?.() === 0 ? ['user=root'] : [];
  const options = ['--no-defaults', '--initialize-insecure', ...asRoot.map((setting) => `--${setting}`)];
  return {
    server,
    user: undefined,
    initialize: (data) => [server, ...options, `--datadir=${data}`],
    settings: [...asRoot, 'skip-log-bin', 'mysqlx=OFF', 'secure-file-priv=NULL'],
  };
}

/** Whether it is installed. */
export function hasMySql(product: MySqlProduct): boolean {
  return programOf(product) !== undefined;
}

/** Connection options for a client of `mysql2`. */
export interface MySqlAddress {
  readonly socketPath: string;
  readonly user: string;
  readonly database: string;
}

/** A running server. */
export class MySqlServer {
  private stopped: Promise<void> | undefined;

  private constructor(
    readonly address: MySqlAddress,
    private readonly launch: () => Promise<ChildProcess>,
    private keeper: ChildProcess,
    private readonly folder: string,
  ) {}

  /**
   * Creates a server with an empty database `test` and starts it. It ends with this process, however that ends.
   * @param settings as `name=value`; they override the defaults for tests, which do not wait for the disk
   * @throws Error if it does not start
   */
  static async start(product: MySqlProduct, settings: readonly string[] = []): Promise<MySqlServer> {
    const program = programOf(product);
    if (program === undefined) throw new Error(`${product} is not installed`);
    const { user } = program;
    const folder = mkdtempSync(join(tmpdir(), 'rocketmq-sql-'));
    try {
      if (user !== undefined) chownSync(folder, user.uid, user.gid);
      const data = join(folder, 'data');
      const [initializer, ...options] = program.initialize(data);
      // Two servers that are created at once would use the same names in a shared folder.
      const env = { ...process.env, TMPDIR: folder };
      await promisify(execFile)(initializer, options, { ...user, cwd: folder, env });
      const socketPath = join(folder, 'socket');
      const own = [
        `datadir=${data}`,
        `socket=${socketPath}`,
        `pid-file=${join(folder, 'pid')}`,
        `tmpdir=${folder}`,
        'skip-networking',
        'innodb-flush-log-at-trx-commit=0',
        'innodb-buffer-pool-size=64M',
        ...program.settings,
      ];
      const args = ['--no-defaults', ...[...own, ...settings].map((setting) => `--${setting}`)];
      const launch = async (): Promise<ChildProcess> => {
        const keeper = keep(program.server, args, { cwd: folder, user, signal: 'KILL' });
        await ready(product, keeper, () => prepared(socketPath));
        return keeper;
      };
      return new MySqlServer({ socketPath, user: 'root', database: 'test' }, launch, await launch(), folder);
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
