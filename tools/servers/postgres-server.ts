// A PostgreSQL server for one test: a cluster in a temporary folder, with a socket there, removed afterwards.

import { type ChildProcess, execFile } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { ended, keep, ready, unprivilegedUser } from './database-process.js';

/** Where Debian installs the programs, which are not on the PATH. */
const DEBIAN = '/usr/lib/postgresql';

/** The folder of `initdb` and `postgres`; undefined if PostgreSQL is not installed. */
export function postgresFolder(): string | undefined {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [
    ...versions.map((version) => join(DEBIAN, version, 'bin')),
    ...(process.env.PATH ?? '').split(delimiter),
  ];
  return folders.find((folder) => ['initdb', 'postgres'].every((name) => existsSync(join(folder, name))));
}

/** Connection options for a client of `pg`. */
export interface PostgresAddress {
  /** The folder of the socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

/** A running cluster. */
export class Postgres {
  private stopped: Promise<void> | undefined;

  private constructor(
    readonly address: PostgresAddress,
    private readonly launch: () => Promise<ChildProcess>,
    private keeper: ChildProcess,
    private readonly folder: string,
  ) {}

  /**
   * Creates a cluster and starts it. It ends with this process, however that ends.
   * @param settings as `name=value`; they override the defaults for tests, which do not wait for the disk
   * @throws Error if it does not start
   */
  static async start(settings: readonly string[] = []): Promise<Postgres> {
    const programs = postgresFolder();
    if (programs === undefined) throw new Error('PostgreSQL is not installed');
    const folder = mkdtempSync(join(tmpdir(), 'rocketmq-sql-'));
    try {
      const user = unprivilegedUser('postgres', 'nobody');
      if (user !== undefined) chownSync(folder, user.uid, user.gid);
      const data = join(folder, 'data');
      const init = [
        '-D',
        data,
        '-U',
        'tester',
        '-A',
        'trust',
        '-E',
        'UTF8',
        '--locale=C',
        '--no-sync',
        '--no-instructions',
      ];
      await promisify(execFile)(join(programs, 'initdb'), init, { ...user, cwd: folder });
      const own = [
        'listen_addresses=',
        `unix_socket_directories=${folder}`,
        'fsync=off',
        'max_connections=300',
        'deadlock_timeout=100ms',
      ];
      const args = ['-D', data, ...[...own, ...settings].flatMap((setting) => ['-c', setting])];
      const pidFile = join(data, 'postmaster.pid');
      // The server writes its status to the last line of its pid file.
      const isReady = async (): Promise<boolean> =>
        existsSync(pidFile) && /^ready\s*$/m.test(readFileSync(pidFile, 'utf8'));
      const launch = async (): Promise<ChildProcess> => {
        const keeper = keep(join(programs, 'postgres'), args, { cwd: folder, user, signal: 'QUIT' });
        await ready('postgres', keeper, isReady);
        return keeper;
      };
      const address = { host: folder, port: 5432, user: 'tester', database: 'postgres' };
      return new Postgres(address, launch, await launch(), folder);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Creates a database. @returns its URL */
  async createDatabase(name: string): Promise<string> {
    const { host, port, user, database } = this.address;
    const urlOf = (one: string): string =>
      `postgres://${user}@localhost/${one}?host=${encodeURIComponent(host)}&port=${port}`;
    const client = new pg.Client({ connectionString: urlOf(database) });
    await client.connect();
    try {
      await client.query(`CREATE DATABASE ${name}`);
    } finally {
      await client.end();
    }
    return urlOf(name);
  }

  /** Ends the server without a checkpoint, as in a crash. Its data stays. */
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
