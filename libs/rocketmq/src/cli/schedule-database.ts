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
import { type CommandIo, countOf, jsonOption } from './command.js';
import { explained, isOfArgument } from './database-errors.js';
import { type DatabaseUrl, databaseUrlOf, unreadable } from './database-url.js';
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
 *   `DEADLINE_EXCEEDED`; what {@link explained} makes of other errors. None has a password or a parameter of the URL; drivers and servers name hosts, users and databases
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
  const url = databaseUrlOf(values.databaseUrl ?? io.env.DATABASE_URL);
  const opening = await openingOf(url, io);
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
      // What Node.js says of a value that is none, such as a key of "ssl".
      if (opened === undefined && isOfArgument(error)) throw unreadable(url, driverOf(url), error);
      throw explained(error, deadline, { database: url.database, isOpen: opened !== undefined, whenUnknown });
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

/** @throws UsageError `PACKAGE_MISSING`; when it is called, for a URL that the driver cannot read */
async function openingOf(url: DatabaseUrl, io: CommandIo): Promise<() => Opening> {
  const { mysql2Database, poolDatabase } = await import('../entries/sql.js');
  if (url.isOfPostgres) {
    const driver = loaded<Pg>('pg', driverOf(url));
    return () => {
      const stream = new Socket();
      const client = read(url, io, () => new driver.Client({ connectionString: url.text, stream }));
      const open = async (): Promise<OpenedDatabase> => {
        client.on('error', ignore);
        await client.connect();
        const pooled = Object.assign(client, { release: ignore });
        return { database: poolDatabase({ connect: async () => pooled }), end: () => endsSoon(client.end()) };
      };
      return { opened: open(), destroy: () => void stream.destroy() };
    };
  }
  const driver = loaded<Mysql2>('mysql2/promise', driverOf(url));
  return () => {
    let socket: Socket | undefined;
    const stream = ({ config }: { readonly config: Mysql2Address }): Socket => {
      const { socketPath, host, port } = config;
      socket = socketPath === undefined ? connect({ host, port, noDelay: true }) : connect(socketPath);
      return socket;
    };
    const connected = read(url, io, () => driver.createConnection({ uri: url.text, connectTimeout: 0, stream }));
    const open = async (): Promise<OpenedDatabase> => {
      const client = await connected;
      client.on('error', ignore);
      const pooled = Object.assign(client, { release: ignore });
      return { database: mysql2Database({ getConnection: async () => pooled }), end: () => endsSoon(client.end()) };
    };
    return { opened: open(), destroy: () => void socket?.destroy() };
  };
}

const IGNORED = /^Ignoring invalid (?:configuration option|(timezone)) passed to Connection: ([^.]*)\. /;

/**
 * Has a driver read the URL. Of what it prints about that, only which parameters it ignores becomes a warning of this command: the rest may quote the URL.
 * @param create synchronous, as far as the URL is concerned
 * @throws UsageError for a URL that it cannot read
 */
function read<T>(url: DatabaseUrl, io: CommandIo, create: () => T): T {
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
    throw unreadable(url, driverOf(url), cause);
  } finally {
    process.emitWarning = emitWarning;
    console.error = error;
    console.warn = warn;
    for (const text of printed) {
      const [, option, name] = IGNORED.exec(text) ?? [];
      const ignored = option ?? name;
      if (ignored !== undefined)
        io.warn(`the package ${driverOf(url)} ignores "${ignored}" in the URL of the database`);
    }
  }
}

function driverOf({ isOfPostgres }: DatabaseUrl): string {
  return isOfPostgres ? 'pg' : 'mysql2';
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
