// `nestjs-rocketmq schedule` on real databases: what it shows and changes, and that nothing is changed or left behind when it fails.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import mysql from 'mysql2/promise';
import { HOUR_MS, type OutgoingMessage } from 'nestjs-rocketmq/client';
import {
  mysql2Database,
  Outbox,
  OutboxRelay,
  poolDatabase,
  Schedule,
  type ScheduleEntry,
  type SqlDatabase,
  schemaStatements,
} from 'nestjs-rocketmq/sql';
import pg from 'pg';
import { mySqlServer, postgresServer, type UrlServer } from '../../tools/servers/database-at-port.js';
import { column } from '../../tools/servers/sql-databases.js';
import { TYPESCRIPT_ARGS } from '../../tools/typescript/typescript-args.js';
import { eventually } from '../../tools/until.js';
import { type Called, call, words } from '../fixtures/command-line.js';
import { describeWithMySql, type MySqlProduct } from '../fixtures/mysql.js';
import { describeWithPostgres } from '../fixtures/postgres.js';
import { forwardTo } from '../fixtures/tcp-forwarder.js';

const SECRET = 'open sesame/1';

interface Kind {
  start(): Promise<UrlServer>;
  open(url: string): { readonly port: SqlDatabase; close(): Promise<void> };
  /** Creates the user `reader`, who may change nothing. */
  readonly reader: readonly string[];
  readonly denied: RegExp;
  /** What the server says of a database that is not there. */
  readonly noDatabase: RegExp;
  /** How many other connections the database has. */
  readonly connections: string;
}

const POSTGRESQL: Kind = {
  start: postgresServer,
  open: (url) => {
    const pool = new pg.Pool({ connectionString: url });
    return { port: poolDatabase(pool), close: () => pool.end() };
  },
  reader: [`CREATE ROLE reader LOGIN PASSWORD '${SECRET}'`, 'GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader'],
  denied: /permission denied for table rocketmq_schedule/,
  noDatabase: /database "nowhere" does not exist/,
  connections: `SELECT count(*) FROM pg_stat_activity WHERE datname = 'shop' AND application_name <> 'test'`,
};
const mySql = (product: MySqlProduct): Kind => ({
  start: () => mySqlServer(product),
  open: (url) => {
    const pool = mysql.createPool(url);
    return { port: mysql2Database(pool), close: () => pool.end() };
  },
  reader: [
    `CREATE USER reader@localhost IDENTIFIED BY '${SECRET}'`,
    `CREATE USER reader@'127.0.0.1' IDENTIFIED BY '${SECRET}'`,
    'GRANT SELECT ON shop.* TO reader@localhost',
    `GRANT SELECT ON shop.* TO reader@'127.0.0.1'`,
  ],
  denied: /command denied to user 'reader'/,
  noDatabase: /Unknown database 'nowhere'/,
  connections: `SELECT count(*) FROM information_schema.PROCESSLIST WHERE DB = 'shop' AND USER = 'command'`,
});

describeWithPostgres('the schedule on PostgreSQL', () => commandOn(POSTGRESQL, 'postgresql'));
describeWithMySql('the schedule on', (product) => commandOn(mySql(product), 'mysql'));

function commandOn(kind: Kind, dialect: 'postgresql' | 'mysql'): void {
  let server: UrlServer;
  let database: ReturnType<Kind['open']>;
  /** With a password, which must appear nowhere. */
  let url: string;
  const schedule = new Schedule();

  const run = (...statements: readonly string[]): Promise<unknown> =>
    database.port.transaction(async (tx) => {
      for (const statement of statements) await tx.query(statement, []);
    });
  const as = (user: string, password: string, at = url): string => {
    const changed = new URL(at);
    changed.username = user;
    changed.password = encodeURIComponent(password);
    return changed.href;
  };

  beforeAll(async () => {
    server = await kind.start();
    const plain = await server.createDatabase('shop');
    await server.createDatabase('without_tables');
    database = kind.open(dialect === 'postgresql' ? `${plain}?application_name=test` : plain);
    await run(...schemaStatements({ dialect }), ...schemaStatements({ dialect, scheduleTable: 'other_schedule' }));
    if (dialect === 'mysql')
      for (const host of ['localhost', '127.0.0.1'])
        await run(`CREATE USER command@'${host}' IDENTIFIED BY '${SECRET}'`, `GRANT ALL ON *.* TO command@'${host}'`);
    url = plain;
    url = as(dialect === 'mysql' ? 'command' : 'tester', SECRET);
    await run(...kind.reader);
  });
  afterAll(async () => {
    await database?.close();
    await server?.stop();
  });

  beforeEach(async () => {
    for (const table of ['rocketmq_outbox', 'rocketmq_schedule', 'rocketmq_schedule_state', 'other_schedule'])
      await run(`DELETE FROM ${table}`);
    await set('nightly', { cron: '0 3 * * *', timeZone: 'Europe/Berlin' });
    await set('trial:ada', { deliverAt: new Date('2090-01-01T00:00:00Z') });
  });
  afterEach(async () => {
    const open = await eventually(
      () => column(database.port, kind.connections),
      ([count]) => count === '0',
    );
    expect(open).toEqual(['0']);
  });

  function set(key: string, entry: Partial<ScheduleEntry>, own = schedule): Promise<void> {
    const message = { topic: 'reports', body: key };
    return database.port.transaction((tx) => own.set(tx, { key, message, ...entry }));
  }

  async function on(line: string | readonly string[], at = url): Promise<Called> {
    const args = typeof line === 'string' ? words(line) : line;
    const called = await call(['schedule', ...args], { DATABASE_URL: at });
    for (const secret of [SECRET, encodeURIComponent(SECRET)]) expect(called.out + called.err).not.toContain(secret);
    return called;
  }
  async function done(line: string | readonly string[], at = url): Promise<string> {
    const { code, out, err } = await on(line, at);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    return out;
  }
  // biome-ignore lint/suspicious/noExplicitAny: what is printed is compared as it is
  const json = async (line: string): Promise<any> => JSON.parse(await done(`${line} --json`));
  async function failed(line: string | readonly string[], at = url): Promise<string> {
    const { code, out, err } = await on(line, at);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    return err;
  }
  const pending = async (key: string) =>
    (await database.port.transaction((tx) => schedule.pending(tx, { key }))).entries[0];

  /** What a relay in another process sends. */
  async function sent(): Promise<string[]> {
    const messages: string[] = [];
    const send = async ({ body }: OutgoingMessage): Promise<void> => void messages.push(body.toString());
    const relay = new OutboxRelay({ outbox: new Outbox(), schedule, database: database.port, send });
    while ((await relay.runOnce()) > 0);
    await relay.stop();
    return messages;
  }

  describe('list', () => {
    it('shows what waits, the next entries first', async () => {
      const lines = (await done('list')).split('\n');
      expect(lines[0]).toMatch(/^KEY +TOPIC +DUE +CRON +LAST TICK +PAUSED$/);
      expect(lines[1]).toMatch(
        /^nightly +reports +\d{4}-\S+T0[12]:00:00\.000Z +0 3 \* \* \* \(Europe\/Berlin\) +- +-$/,
      );
      expect(lines[2]).toMatch(/^trial:ada +reports +2090-01-01T00:00:00\.000Z +- +- +-$/);
      expect(lines.slice(3)).toEqual(['2 of 2 scheduled messages', '']);
      expect(await json('list')).toEqual({
        entries: [
          expect.objectContaining({ key: 'nightly', cron: '0 3 * * *', timeZone: 'Europe/Berlin' }),
          { key: 'trial:ada', topic: 'reports', dueAt: '2090-01-01T00:00:00.000Z' },
        ],
        scheduled: 2,
        overdueMs: 0,
      });
    });

    it('has pages, and finds a key', async () => {
      const next = /; continue with --after ('\d+ nightly')\n$/.exec(await done('list --limit 1'))?.[1];
      const second = await done(['list', '--limit', '1', '--after', `${next?.slice(1, -1)}`]);
      expect(second).toMatch(/\ntrial:ada .*\n1 of 2 scheduled messages\n$/);
      expect((await json('list --key trial:ada')).entries).toMatchObject([{ key: 'trial:ada' }]);
      expect(await done('list --key trial')).toMatch(/\n0 of 2 scheduled messages\n$/);
    });

    it('shows last ticks, pauses, and how long what is due has been waiting', async () => {
      await set('late', { deliverAt: new Date(Date.now() - HOUR_MS) });
      expect(await done('list')).toMatch(/; the oldest due one has been waiting for a relay for 36\d{5} ms\n$/);
      await set('often', { cron: '* * * * * *' });
      await eventually(sent, (bodies) => bodies.includes('often'));
      await done(['pause', 'often', '--reason', 'the figures are wrong']);
      expect(await done('list --key often')).toMatch(
        /^often .* \* \* \* \* \* \* \(UTC\) +\d{4}-\S+Z +since \d{4}-\S+Z: the figures are wrong$/m,
      );
    });

    it('reads another table', async () => {
      await set('elsewhere', { cron: '@daily' }, new Schedule({ tableName: 'other_schedule' }));
      const { entries } = await json('list --schedule-table other_schedule');
      expect(entries).toMatchObject([{ key: 'elsewhere', timeZone: 'UTC' }]);
    });
  });

  describe('a change', () => {
    it('pauses an entry until it is resumed', async () => {
      const paused = await done(['pause', 'trial:ada', '--reason', 'the customer asked']);
      expect(paused).toMatch(/^trial:ada is paused since \d{4}-\S+Z: the customer asked\n$/);
      await set('trial:ada', { deliverAt: new Date(0) });
      expect(await sent()).toEqual([]);
      expect(await json('pause trial:ada --reason later')).toMatchObject({
        key: 'trial:ada',
        replaced: { reason: 'the customer asked' },
        entry: { dueAt: '1970-01-01T00:00:00.000Z', paused: { reason: 'later' } },
      });
      expect(await done('resume trial:ada')).toMatch(
        /^trial:ada is resumed; it is due at 1970-01-01T00:00:00\.000Z, as relays notice at their next poll; it was paused since \d{4}-\S+Z: later\n$/,
      );
      expect(await sent()).toEqual(['trial:ada']);
    });

    it('of the reason of a pause reports the former one', async () => {
      expect(await json('pause nightly --reason first')).not.toHaveProperty('replaced');
      expect(await done('pause nightly --reason second')).toMatch(
        /^nightly is paused since \d{4}-\S+Z: second; it was paused since \d{4}-\S+Z: first\n$/,
      );
    });

    it('is reported by one of several that make it at once', async () => {
      await done('pause nightly --reason later');
      const held = await holding();
      const resumed = Promise.all([1, 2, 3].map(() => json('resume nightly --timeout 60000')));
      await eventually(
        () => column(database.port, kind.connections),
        ([count]) => count === '3',
      );
      await held.release();
      const all = await resumed;
      expect(all.map(({ wasPaused }) => wasPaused).sort()).toEqual([false, false, true]);
      expect(all.map(({ entry }) => entry.paused)).toEqual([undefined, undefined, undefined]);
    });

    it('resumes a repeated entry with its next tick, and does nothing to one that is not paused', async () => {
      const dueAt = (await pending('nightly'))?.dueAt;
      expect(await json('resume nightly')).toMatchObject({ key: 'nightly', wasPaused: false });
      expect(await done('resume nightly')).toBe('nightly was not paused\n');
      await done('pause nightly --reason x');
      const { wasPaused, entry } = await json('resume nightly');
      expect([wasPaused, new Date(entry.dueAt) >= (dueAt as Date), entry.paused]).toEqual([true, true, undefined]);
      expect(await sent()).toEqual([]);
    });

    it('sends an entry only with --yes, at the next poll of a relay', async () => {
      expect(await done('run nightly')).toMatch(
        /\nnightly would be sent; nothing was changed; add --yes to send it\n$/,
      );
      expect(await json('run trial:ada')).toMatchObject({ done: false, entry: { key: 'trial:ada' } });
      expect(await sent()).toEqual([]);
      expect(await done('run nightly --yes')).toBe(
        'a relay sends nightly at its next poll; its ticks stay as they are\n',
      );
      expect(await sent()).toEqual(['nightly']);
      expect((await pending('nightly'))?.dueAt.getTime()).toBeGreaterThan(Date.now());
      await done('pause trial:ada --reason x');
      expect(await done('run trial:ada --yes')).toBe('a relay sends trial:ada at its next poll\n');
      expect(await sent()).toEqual(['trial:ada']);
      expect(await pending('trial:ada')).toBeUndefined();
    });

    it('cancels an entry only with --yes', async () => {
      expect(await done('cancel nightly')).toMatch(/\nnightly would be canceled; nothing was changed; add --yes/);
      expect(await json('cancel trial:ada')).toMatchObject({ done: false });
      expect((await json('list')).scheduled).toBe(2);
      expect(await done('cancel nightly --yes')).toBe('nightly is canceled: it has no more ticks\n');
      expect(await json('cancel trial:ada --yes')).toMatchObject({ done: true, entry: { key: 'trial:ada' } });
      expect((await json('list')).scheduled).toBe(0);
    });

    it.each(['run none', 'run none --yes', 'cancel none', 'cancel none --yes', 'pause none --reason x', 'resume none'])(
      'of an entry that is not there fails: %s',
      async (line) => {
        const err = await failed(`${line} --schedule-table other_schedule`);
        expect(err).toContain(
          'no entry "none" waits in the schedule: it was sent or canceled, or never set; nothing was',
        );
        expect(err).toContain('npx nestjs-rocketmq schedule list --schedule-table other_schedule\n');
        expect(JSON.parse(await failed(`${line} --json`)).error).toMatchObject({
          code: 'NOT_FOUND',
          outcome: 'rejected',
          retryable: false,
          message: expect.stringContaining('no entry "none"'),
        });
      },
    );
  });

  describe('a failure', () => {
    const rejected = (code: string) => ({ code, outcome: 'rejected', retryable: false });

    it('of tables that are not there names them', async () => {
      const empty = url.replace('/shop', '/without_tables');
      expect(await failed('list', empty)).toContain('[TABLE_NOT_READY] there is no table rocketmq_schedule');
      const err = await failed('cancel nightly --yes --schedule-table nothing');
      expect(err).toContain('there is no table nothing; ');
      expect(err).toContain('nothing was done');
      expect(err).toContain('name that with --schedule-table or the URL of the database\n');
    });

    it('of a user without the right changes nothing', async () => {
      const reader = as('reader', SECRET);
      expect(await done('list', reader)).toContain('nightly');
      const err = await failed('pause nightly --reason x', reader);
      expect(err).toMatch(kind.denied);
      expect(err).toMatch(
        /^\[UNAUTHORIZED\] the database rejected it: .*; nothing took effect; grant it to the user in database "shop", or/,
      );
      const { error } = JSON.parse(await failed('pause nightly --reason x --json', reader));
      expect(error).toMatchObject({ code: 'UNAUTHORIZED', outcome: 'rejected', retryable: false });
      expect((await pending('nightly'))?.paused).toBeUndefined();
    });

    it('to connect says what the server says, without the password', async () => {
      const nowhere = url.replace('/shop', '/nowhere');
      expect(await failed('list', nowhere)).toMatch(kind.noDatabase);
      expect(await failed(['list', '--database-url', nowhere], '')).toMatch(
        /^\[NOT_FOUND\] cannot connect to the database: .*; nothing took effect; database "nowhere" does not exist: check/,
      );
    });

    it('that cannot pass by waiting is not one to try again', async () => {
      const errorOf = async (at: string) => JSON.parse(await failed('list --json', at)).error;
      expect(await errorOf(url.replace('/shop', '/nowhere'))).toMatchObject(rejected('NOT_FOUND'));
      // This PostgreSQL accepts any password.
      const user = dialect === 'mysql' ? as('command', `not ${SECRET}`) : as('nobody', SECRET);
      expect(await errorOf(user)).toMatchObject(rejected('UNAUTHORIZED'));
      const tls = dialect === 'mysql' ? '?ssl={}' : '?sslmode=require';
      expect(await errorOf(`${url}${tls}`)).toMatchObject({
        code: 'TLS_FAILED',
        outcome: 'not-sent',
        retryable: false,
      });
    });

    // PostgreSQL says which of the two it is.
    (dialect === 'mysql' ? it : it.skip)('by a user without any right to the database names both causes', async () => {
      const nowhere = as('reader', SECRET, url.replace('/shop', '/nowhere'));
      expect(await failed('list', nowhere)).toMatch(
        /^\[UNAUTHORIZED\] .* database "nowhere" does not exist, or the user has no right to it: check its name in .*, or grant/,
      );
      expect(JSON.parse(await failed('list --json', nowhere)).error).toMatchObject(rejected('UNAUTHORIZED'));
    });

    // They are read by Node.js, when the server has answered.
    (dialect === 'mysql' ? it : it.skip)('by a secret that is a number does not quote it', async () => {
      const errorOf = async (name: string, value: string): Promise<string> => {
        const at = new URL(as('command', ''));
        at.searchParams.set(name, value);
        const { out, err } = await on('list --json', at.href);
        expect(out).toBe('');
        expect(err).not.toContain('1234567');
        return JSON.parse(err).error.message;
      };
      expect(await errorOf('password1', '1234567')).toContain(
        'mysql2 cannot read its parameter password1 (ERR_INVALID_ARG_TYPE)',
      );
      // An older MariaDB has no TLS.
      expect(await errorOf('ssl', '{"key":"x","passphrase":1234567}')).toMatch(
        /mysql2 cannot read its parameter ssl \(ERR_INVALID_ARG_TYPE\)|does not support secure connection/,
      );
    });

    it('to read the URL is one of the call', async () => {
      const problem = 'cannot be used: the package ';
      const malformed = url.replace('/shop', '/%ff');
      expect(await on('list', malformed)).toMatchObject({ code: 2, out: '', err: expect.stringContaining(problem) });
    });

    it('by another transaction that holds the entry ends in time, and changes nothing', async () => {
      const held = await holding();
      const err = await failed('cancel nightly --yes --timeout 1500');
      await held.release();
      expect(err).toMatch(/^\[DEADLINE_EXCEEDED\] schedule cancel of nightly did not finish within 1500 ms/);
      expect(err).toContain('nothing took effect; another transaction may hold the entry: try again, or increase');
      expect(await pending('nightly')).toBeDefined();
    });

    // MariaDB gives no reason.
    (dialect === 'postgresql' ? it : it.skip)('by a server that ends the connection is one to try again', async () => {
      const held = await holding();
      const failure = failed('cancel nightly --yes --timeout 60000');
      const end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
      await eventually(
        () => column(database.port, end),
        ([count]) => count === '1',
      );
      expect(await failure).toMatch(
        /^\[UNAVAILABLE\] the connection to the database failed: .*; nothing took effect; try/,
      );
      await held.release();
      expect(await pending('nightly')).toBeDefined();
    });

    it('by Ctrl-C while it waits changes nothing', async () => {
      const held = await holding();
      const line = JSON.stringify(['schedule', 'cancel', 'nightly', '--yes', '--timeout', '60000']);
      const program = `const { main } = await import('./libs/rocketmq/src/cli/main.ts'); await main(${line}, (name) => import(name));`;
      const child = spawn(process.execPath, [...TYPESCRIPT_ARGS, '--input-type=module', '-e', program], {
        env: { ...process.env, DATABASE_URL: url },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
      await eventually(
        () => column(database.port, kind.connections),
        ([count]) => count === '1',
      );
      child.kill('SIGINT');
      const [out, err, [, signal]] = await ended;
      await held.release();
      expect({ out, err, signal }).toEqual({ out: '', err: '', signal: 'SIGINT' });
      expect(await pending('nightly')).toBeDefined();
    });

    // On the wire of MariaDB, the answer to a commit looks like others.
    (dialect === 'postgresql' ? it : it.skip)('at the commit says that the change may have been made', async () => {
      const { port } = new URL(url);
      let commits = 0;
      const forwarder = await forwardTo(Number(port), (bytes) => {
        // The first one is that of the check of the tables.
        if (!bytes.includes('COMMIT') || ++commits < 2) return bytes;
        setImmediate(() => forwarder.reset());
        return Buffer.alloc(0);
      });
      const err = await failed('cancel nightly --yes --json', url.replace(`:${port}/`, `:${forwarder.port}/`));
      await forwarder.close();
      const { error } = JSON.parse(err);
      expect(error).toMatchObject({ code: 'UNAVAILABLE', outcome: 'unknown' });
      expect(error.message).toContain(
        'it may have taken effect; look at the entry before you try again: npx nestjs-rocketmq schedule list --key nightly',
      );
      expect(await pending('nightly')).toBeUndefined();
    });
  });

  /** A transaction that holds the entry `nightly`. */
  async function holding(): Promise<{ release(): Promise<void> }> {
    let release = (): void => {};
    const isReleased = new Promise<void>((resolve) => {
      release = resolve;
    });
    let ended = Promise.resolve();
    await new Promise<void>((resolve, reject) => {
      ended = database.port.transaction(async (tx) => {
        await schedule.pause(tx, 'nightly', 'held');
        resolve();
        await isReleased;
        throw new Error('rolled back');
      });
      ended.catch(reject);
    });
    return {
      release: async () => {
        release();
        await ended.catch(() => {});
      },
    };
  }
}
