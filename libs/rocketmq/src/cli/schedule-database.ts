// The application's database, for the commands that read or change its schedule: its URL, and a connection by the driver that the application has.

import { createRequire } from 'node:module';
import { connect, Socket } from 'node:net';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Schedule } from '../sql/schedule/schedule.js';
import type { SqlDatabase, SqlExecutor } from '../sql/sql-port.js';
import { raceAbort } from '../support/abort.js';
import { SECOND_MS } from '../support/clock.js';
import { waitWithin, withNotedEffects } from '../support/deadline.js';
import { UsageError } from '../support/errors.js';
import { describeError } from '../support/logger.js';
import { type CommandIo, countOf, jsonOption, wrongCall } from './command.js';
import { explained } from './database-errors.js';
import type { OutputValues } from './output.js';

export interface DatabaseValues extends OutputValues {
  readonly databaseUrl?: string;
  readonly scheduleTable?: string;
  readonly timeout: number;
}

const DEFAULT_TIMEOUT_MS = 10_000;

/** Gives a command the options of {@link DatabaseValues}. The default of the URL is read late: the parser would quote a value with a password. */
export function databaseOptions(command: Command): Command {
  return command
    .option(
      '--database-url <url>',
      "postgres:// or mysql:// URL of the application's database, by the package pg or mysql2 of the folder this runs in (default: DATABASE_URL in the environment, where a password belongs)",
    )
    .option('--schedule-table <name>', 'default: rocketmq_schedule')
    .option('--timeout <ms>', 'how long to wait for the database, in milliseconds', countOf, DEFAULT_TIMEOUT_MS)
    .addOption(jsonOption());
}

/** What a command does in the database. */
interface ScheduleWork<T> {
  /** For errors: "pause of nightly". */
  readonly what: string;
  /** What to do when it is unknown whether the transaction was committed; undefined for one that only reads. */
  readonly whenUnknown: string | undefined;
  run(schedule: Schedule, tx: SqlExecutor): Promise<T>;
  /** The call of `run` that checks its arguments. */
  check(schedule: Schedule, tx: SqlExecutor): Promise<unknown>;
}

/**
 * Runs the work in one transaction of the application's database, over a connection that is closed afterwards, and repeats it after conflicts.
 * @throws UsageError for the arguments, the URL and the name of the table, and `PACKAGE_MISSING`, before it connects; StateError `TABLE_NOT_READY`; TransportError
 *   `DEADLINE_EXCEEDED`; what {@link explained} makes of other errors. None has the password; drivers name hosts, users and databases
 */
export async function withSchedule<T>(values: DatabaseValues, io: CommandIo, work: ScheduleWork<T>): Promise<T> {
  // The whole entry: a part of it would be more files in the package.
  const { Schedule, retryTransaction } = await import('../entries/sql.js');
  const { scheduleTable: tableName } = values;
  const schedule = new Schedule(tableName === undefined ? {} : { tableName });
  const { what, whenUnknown, run, check } = work;
  // Arguments are checked before the first statement, which ends this.
  const isChecked = new Error('not connected yet');
  await check(schedule, { query: () => Promise.reject(isChecked) }).catch((error) => {
    if (error !== isChecked) throw error;
  });
  const opening = await openingOf(values.databaseUrl ?? io.env.DATABASE_URL, io);
  return withNotedEffects(what, values.timeout, undefined, async (deadline) => {
    const { signal } = deadline;
    deadline.noteQuestion('the database');
    let opened: OpenedDatabase | undefined;
    const connection = opening();
    try {
      opened = await raceAbort(connection.opened, signal);
      const { database } = opened;
      await raceAbort(schedule.assertReady(database), signal);
      const transaction = (): Promise<T> =>
        database.transaction(async (tx) => {
          const result = await run(schedule, tx);
          // What follows is the commit.
          if (whenUnknown !== undefined) deadline.noteEffect();
          return result;
        });
      return await raceAbort(retryTransaction(transaction, { signal }), signal);
    } catch (error) {
      throw explained(error, deadline, opened !== undefined, whenUnknown);
    } finally {
      // A statement that waits in the database would keep the end of the connection waiting.
      if (!deadline.isOver) await opened?.end();
      connection.destroy();
    }
  });
}

interface OpenedDatabase {
  readonly database: SqlDatabase;
  /** Disconnects from a server that answers. */
  end(): Promise<void>;
}

/** A connection that may not be open yet. */
interface Opening {
  readonly opened: Promise<OpenedDatabase>;
  /** Whatever state it is in: the drivers cannot do that. */
  destroy(): void;
}

const END_MS = SECOND_MS;

/** What the driver `pg` has. */
interface PgClient extends SqlExecutor {
  connect(): Promise<unknown>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  removeListener(event: 'error', listener: (error: Error) => void): unknown;
  end(): Promise<void>;
}
interface Pg {
  readonly Client: new (options: { readonly connectionString: string; readonly stream: Socket }) => PgClient;
}

/** What the driver `mysql2/promise` has. */
interface Mysql2Client {
  query(statement: object, values: unknown[]): Promise<readonly [unknown, unknown]>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  destroy(): void;
  end(): Promise<void>;
}
interface Mysql2Address {
  readonly socketPath?: string;
  readonly host: string;
  readonly port: number;
}
interface Mysql2 {
  createConnection(options: {
    readonly uri: string;
    /** 0: none of its own. */
    readonly connectTimeout: 0;
    stream(opening: { readonly config: Mysql2Address }): Socket;
  }): Promise<Mysql2Client>;
}

/** @throws UsageError, without any part of the URL */
async function openingOf(url: string | undefined, io: CommandIo): Promise<() => Opening> {
  if (url === undefined || url === '')
    throw wrongCall('the database is not given; set DATABASE_URL in the environment, or add --database-url');
  const scheme = /^(postgres(?:ql)?|mysql|mariadb):\/\//i.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined)
    throw wrongCall(
      'the URL of the database, in --database-url or DATABASE_URL, must begin with postgres://, postgresql://, mysql:// or mariadb://',
    );
  // Otherwise a part of a password could be taken for a host or a name, which errors quote.
  const [, rest = ''] = /^[^:]+:\/\/[^/?#]*(.*)$/su.exec(url) ?? [];
  if (!URL.canParse(url) || /[#@]/.test(rest))
    throw wrongCall(
      'the URL of the database, in --database-url or DATABASE_URL, cannot be read; characters such as : / ? # @ in a user or password must be percent-encoded',
    );
  const { mysql2Database, poolDatabase } = await import('../entries/sql.js');
  if (scheme.startsWith('postgres')) {
    const driver = loaded<Pg>('pg', 'pg');
    return () => {
      const stream = new Socket();
      const client = read('pg', io, () => new driver.Client({ connectionString: url, stream }));
      const open = async (): Promise<OpenedDatabase> => {
        client.on('error', ignore);
        await client.connect();
        const pooled = Object.assign(client, { release: ignore });
        return { database: poolDatabase({ connect: async () => pooled }), end: () => endsSoon(client.end()) };
      };
      return { opened: open(), destroy: () => void stream.destroy() };
    };
  }
  const driver = loaded<Mysql2>('mysql2/promise', 'mysql2');
  return () => {
    let socket: Socket | undefined;
    const stream = ({ config }: { readonly config: Mysql2Address }): Socket => {
      const { socketPath, host, port } = config;
      socket = socketPath === undefined ? connect({ host, port, noDelay: true }) : connect(socketPath);
      return socket;
    };
    const connected = read('mysql2', io, () => driver.createConnection({ uri: url, connectTimeout: 0, stream }));
    const open = async (): Promise<OpenedDatabase> => {
      const client = await connected;
      client.on('error', ignore);
      const pooled = Object.assign(client, { release: ignore });
      return { database: mysql2Database({ getConnection: async () => pooled }), end: () => endsSoon(client.end()) };
    };
    return { opened: open(), destroy: () => void socket?.destroy() };
  };
}

/** A warning of `pg` about its next major version, on URLs that are right for this one. */
const OF_NEXT_VERSION = /^SECURITY WARNING: The SSL modes/;
const IGNORED = /^Ignoring invalid (?:configuration option|timezone) passed to Connection: ([^.]*)\. /;

/**
 * Has a driver read the URL. What it prints about that becomes a warning of this command.
 * @param create synchronous, as far as the URL is concerned
 * @throws UsageError for a URL that it cannot read
 */
function read<T>(name: string, io: CommandIo, create: () => T): T {
  const { emitWarning } = process;
  const { error, warn } = console;
  const printed: string[] = [];
  const keep = (text: unknown): void => void printed.push(String(text));
  process.emitWarning = keep;
  console.error = keep;
  console.warn = keep;
  try {
    return create();
  } catch (cause) {
    const why = describeError(cause).split('\n')[0];
    throw wrongCall(
      `the URL of the database, in --database-url or DATABASE_URL, cannot be used: the package ${name} reports: ${why}`,
    );
  } finally {
    process.emitWarning = emitWarning;
    console.error = error;
    console.warn = warn;
    for (const text of printed) {
      const ignored = IGNORED.exec(text)?.[1];
      if (ignored !== undefined) io.warn(`the package ${name} ignores "${ignored}" in the URL of the database`);
      else if (!OF_NEXT_VERSION.test(text)) io.warn(`the package ${name} reports: ${text}`);
    }
  }
}

function ignore(): void {}

async function endsSoon(ended: Promise<void>): Promise<void> {
  await waitWithin('the end of the connection', END_MS, undefined, ended).catch(ignore);
}

/** From the folder of the application, whose version of it is meant. @throws UsageError `PACKAGE_MISSING` */
function loaded<T>(module: string, name: string): T {
  const folder = process.cwd();
  try {
    return createRequire(join(folder, 'package.json'))(module) as T;
  } catch (cause) {
    const why = describeError(cause).split('\n')[0];
    const text = `this database needs the package ${name}, which cannot be loaded from ${folder} (${why})`;
    throw new UsageError(
      'PACKAGE_MISSING',
      `${text}; nothing was changed; run this command in the folder of the application, or install it there with: npm install ${name}`,
      undefined,
      { cause },
    );
  }
}
