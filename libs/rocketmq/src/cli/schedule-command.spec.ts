// `nestjs-rocketmq schedule`: what it rejects before it connects, and databases that cannot be reached. What it does on real ones is in
// test/sql/schedule-command.long.spec.ts.

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type Called, call, words } from '../../../../test/fixtures/command-line.js';
import { eventually } from '../../../../tools/until.js';

const SECRET = 'open-sesame';
const NOWHERE = `postgres://ada:${SECRET}@127.0.0.1:1/shop`;

function schedule(line: string | readonly string[], url?: string): Promise<Called> {
  const args = typeof line === 'string' ? words(line) : line;
  return call(['schedule', ...args], url === undefined ? {} : { DATABASE_URL: url });
}

async function failed(line: string | readonly string[], url: string | undefined, code: number): Promise<string> {
  const called = await schedule(line, url);
  expect({ code: called.code, out: called.out }).toEqual({ code, out: '' });
  expect(called.err).not.toContain('sesame');
  return called.err;
}

describe('a wrong call', () => {
  it.each<[string, string | readonly string[], string]>([
    ['without the reason of a pause', 'pause nightly', "required option '--reason <text>' not specified"],
    ['with a blank reason', ['pause', 'nightly', '--reason', ' '], 'reason must be a string of 1 to 500 characters'],
    ['without a key', 'cancel', "missing required argument 'key'"],
    ['with a key that cannot be one', ['run', 'a b', '--yes'], 'the key of a schedule must be a string of 1 to 255'],
    ['with another in the list', ['list', '--key', 'a b'], 'the key of a schedule must be a string of 1 to 255'],
    ['with a page that is too long', 'list --limit 1001', 'limit must be an integer from 1 to 1000'],
    ['with no position', 'list --after x', 'option after must be next of the page before'],
    ['with no name of a table', 'list --schedule-table a-b', 'ILLEGAL_TABLE_NAME'],
  ])('%s is found before it connects', async (_, line, problem) => {
    expect(await failed(line, NOWHERE, 2)).toContain(problem);
  });

  it('has no database', async () => {
    for (const url of [undefined, ''])
      expect(await failed('list', url, 2)).toContain('set DATABASE_URL in the environment, or add --database-url');
  });

  it.each([
    `redis://ada:${SECRET}@h/0`,
    `ada:${SECRET}@h/shop`,
    `host=h password=${SECRET}`,
    `postgres:ada:${SECRET}@h`,
  ])('has a URL of another kind, which is not quoted: %s', async (url) => {
    expect(await failed('list', url, 2)).toContain(
      'must begin with postgres://, postgresql://, mysql:// or mariadb://',
    );
    expect(await failed(['list', '--database-url', url, '--json'], undefined, 2)).toContain('must begin with');
  });

  it.each([
    `postgres://ada:${SECRET}#1@h/shop`,
    `postgres://ada:${SECRET}/1@h/shop`,
    // These would be a port and a database.
    `mysql://sesame:1#${SECRET}@h/shop`,
    `mysql://sesame:1/${SECRET}@h/shop`,
    `mysql://sesame:1?${SECRET}@h/shop`,
    'postgres://h:x/shop',
  ])('has a URL that cannot be read, which is not quoted: %s', async (url) => {
    expect(await failed('cancel nightly --yes', url, 2)).toContain('must be percent-encoded');
  });
});

describe('the package of a database', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'no-packages-'));
    jest.spyOn(process, 'cwd').mockReturnValue(folder);
  });
  afterEach(() => {
    jest.restoreAllMocks();
    rmSync(folder, { recursive: true });
  });

  it.each([
    ['postgres', 'pg'],
    ['postgresql', 'pg'],
    ['mysql', 'mysql2'],
    ['mariadb', 'mysql2'],
  ])('of %s:// is that of the folder: without it, the command fails and names it', async (scheme, name) => {
    const url = `${scheme}://ada:${SECRET}@127.0.0.1:1/shop`;
    const err = await failed('run nightly --yes', url, 1);
    expect(err).toContain(`[PACKAGE_MISSING] this database needs the package ${name}, which cannot be loaded from`);
    expect(err).toContain(
      `nothing was changed; run this command in the folder of the application, or install it there`,
    );
    expect(err).toContain(`npm install ${name}\n`);
    const { error } = JSON.parse(await failed('list --json', url, 1));
    expect(error).toMatchObject({ code: 'PACKAGE_MISSING', outcome: 'not-sent' });
  });
});

describe('a database that cannot be used', () => {
  const sockets = new Set<Socket>();
  let server: Server;
  let address: string;
  beforeEach(async () => {
    server = createServer((socket) => {
      sockets.add(socket.on('error', () => {}));
      socket.resume().on('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = `127.0.0.1:${(server.address() as { port: number }).port}`;
  });
  afterEach(async () => {
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  });

  it.each(['postgres', 'mysql'])('does not answer (%s): the wait ends, and so does the connection', async (scheme) => {
    const url = `${scheme}://ada:${SECRET}@${address}/shop`;
    const err = await failed('pause nightly --reason x --timeout 300', url, 1);
    expect(err).toMatch(
      /^\[DEADLINE_EXCEEDED\] schedule pause of nightly did not finish within 300 ms: no answer from/,
    );
    expect(err).toContain(
      'nothing took effect; check that the database runs and can be reached, and the URL in --database-url or DATABASE_URL, or increase --timeout',
    );
    await eventually(
      () => sockets.size,
      (count) => count === 0,
    );
  });

  it.each(['postgres', 'mysql'])('is not there (%s)', async (scheme) => {
    await new Promise((resolve) => server.close(resolve));
    const url = `${scheme}://ada:${SECRET}@${address}/shop`;
    expect(await failed('cancel nightly --yes', url, 1)).toMatch(
      /^\[UNAVAILABLE\] cannot connect to the database: .*connect ECONNREFUSED \S+; nothing took effect; check that it runs/,
    );
    const { error } = JSON.parse(await failed('list --json', url, 1));
    expect(error).toMatchObject({ code: 'UNAVAILABLE', outcome: 'not-sent', retryable: true });
  });

  it.each(['postgres', 'mysql'])('is something else (%s)', async (scheme) => {
    server.on('connection', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    const url = `${scheme}://ada:${SECRET}@${address}/shop`;
    expect(await failed('list', url, 1)).toMatch(/cannot connect to the database: .*; nothing took effect/);
  });

  it.each<[scheme: string, answer: () => Buffer, code: string, outcome: string, retryable: boolean]>([
    ['postgres', () => ofPostgres('28P01'), 'UNAUTHORIZED', 'rejected', false],
    ['postgres', () => ofPostgres('3D000'), 'NOT_FOUND', 'rejected', false],
    ['postgres', () => ofPostgres('42704'), 'INVALID_PARAMETER', 'rejected', false],
    ['postgres', () => ofPostgres('XX000'), 'FAILED', 'not-sent', false],
    ['postgres', () => ofPostgres('57P03'), 'UNAVAILABLE', 'not-sent', true],
    ['postgres', () => ofPostgres('53300'), 'UNAVAILABLE', 'not-sent', true],
    ['postgres', () => ofPostgres('08006'), 'UNAVAILABLE', 'not-sent', true],
    ['mysql', () => ofMySql(1130, 'HY000'), 'UNAUTHORIZED', 'rejected', false],
    ['mysql', () => ofMySql(1049, '42000'), 'NOT_FOUND', 'rejected', false],
    ['mysql', () => ofMySql(3159, 'HY000'), 'TLS_FAILED', 'not-sent', false],
    ['mysql', () => ofMySql(1105, 'HY000'), 'FAILED', 'not-sent', false],
    ['mysql', () => ofMySql(1040, '08004'), 'UNAVAILABLE', 'not-sent', true],
    ['mysql', () => ofMySql(1053, '08S01'), 'UNAVAILABLE', 'not-sent', true],
    ['mysql', () => ofMySql(1203, '42000'), 'UNAVAILABLE', 'not-sent', true],
    ['mysql', () => ofMySql(1044, '42000'), 'UNAUTHORIZED', 'rejected', false],
  ])('rejects the connection (%s, %s): %s', async (scheme, answer, code, outcome, retryable) => {
    if (scheme === 'mysql') server.on('connection', (socket) => socket.end(answer()));
    else server.on('connection', (socket) => socket.once('data', () => socket.end(answer())));
    const url = `${scheme}://ada:${SECRET}@${address}/shop`;
    const { error } = JSON.parse(await failed('list --json', url, 1));
    expect(error).toMatchObject({ code, outcome, retryable });
    expect(error.message).toContain('cannot connect to the database: no, said the server; nothing took effect; ');
  });

  it.each<[scheme: string, answer: () => Buffer, name: string, advice: string]>([
    [
      'mysql',
      () => ofMySql(1044, '42000'),
      'sh%6fp',
      'database "shop" does not exist, or the user has no right to it: ',
    ],
    [
      'mysql',
      () => ofMySql(1049, '42000'),
      'shop',
      'database "shop" does not exist: check its name in --database-url or',
    ],
    [
      'mysql',
      () => ofMySql(1045, '28000'),
      'shop',
      'check user and password, and what the user may do in database "shop"',
    ],
    ['postgres', () => ofPostgres('3D000'), 'shop', 'database "shop" does not exist: check its name in'],
    ['postgres', () => ofPostgres('3D000'), '', 'the database of the user (the URL names none) does not exist: check'],
    [
      'postgres',
      () => ofPostgres('42501'),
      'shop',
      'check user and password, and what the user may do in database "shop"',
    ],
    [
      'postgres',
      () => ofPostgres('28P01'),
      'shop',
      'check user and password, and what the user may do in database "shop"',
    ],
  ])(
    'rejects the database or the user, and is explained by the name in the URL (%s, %s)',
    async (scheme, answer, name, advice) => {
      if (scheme === 'mysql') server.on('connection', (socket) => socket.end(answer()));
      else server.on('connection', (socket) => socket.once('data', () => socket.end(answer())));
      expect(await failed('list', `${scheme}://ada:${SECRET}@${address}/${name}`, 1)).toContain(advice);
    },
  );

  it.each(['postgres', 'mysql'])('cuts the connection (%s): that may pass', async (scheme) => {
    server.on('connection', (socket) => socket.destroy());
    const { error } = JSON.parse(await failed('list --json', `${scheme}://ada:${SECRET}@${address}/shop`, 1));
    expect(error).toMatchObject({ code: 'UNAVAILABLE', outcome: 'not-sent', retryable: true });
  });
});

describe('a URL that the driver cannot read', () => {
  const parameter = (name: string, value: string): string => `${name}=${encodeURIComponent(value)}`;

  it.each<[scheme: string, rest: string, part: string]>([
    ['mysql', `ada:${SECRET}%ff@127.0.0.1:1/shop`, 'mysql2 cannot read its password'],
    ['mariadb', `${SECRET}%ff:x@127.0.0.1:1/shop`, 'mysql2 cannot read its user'],
    ['postgres', `ada:${SECRET}%ff@127.0.0.1:1/shop`, 'pg cannot read its password'],
    ['postgresql', `ada:${SECRET}@127.0.0.1:1/%ff${SECRET}`, 'pg cannot read its name of the database'],
    ['mysql', `h/?${parameter('ssl', `{"key": "${SECRET}"`)}`, 'mysql2 cannot read its parameter ssl'],
    ['mariadb', `h/?compress=0&${parameter('ssl', `{"key": "${SECRET}"`)}`, 'mysql2 cannot read its parameter ssl'],
    ['mysql', `h/?compress=0&${parameter('charset', SECRET)}`, 'mysql2 cannot read its parameter charset'],
    ['postgres', `h/?a=1&${parameter('sslcert', `/${SECRET}`)}`, 'pg cannot read its parameter sslcert (ENOENT)'],
    ['postgres', `h/?a=1&${parameter('sslkey', `\0${SECRET}`)}`, '(ERR_INVALID_ARG_VALUE)'],
    ['postgres', `h/?a=1&${parameter('sslnegotiation', SECRET)}`, 'pg cannot read its parameter sslnegotiation;'],
    ['postgres', 'h/?a=1&port=99999', 'pg cannot read its parameter port (ERR_SOCKET_BAD_PORT)'],
  ])('is named by the part, without its value: %s://%s', async (scheme, rest, part) => {
    const url = `${scheme}://${rest}`;
    const err = await failed('list', url, 2);
    expect(err).toContain('[USAGE] the URL of the database, in --database-url or DATABASE_URL, cannot be used: the');
    expect(err).toContain(part);
    expect(err).not.toContain('99999');
    const { error } = JSON.parse(await failed(['list', '--database-url', url, '--json'], undefined, 2));
    expect(error).toMatchObject({ code: 'USAGE', outcome: 'not-sent', retryable: false });
  });
});

describe('a driver that prints something itself', () => {
  it.each([
    ['pg, of its next version', 'postgres', 'sslmode=require', ''],
    [
      'mysql2, of what it ignores',
      'mysql',
      'connection_limit=5',
      'warning: the package mysql2 ignores "connection_limit" in the URL of the database\n',
    ],
    ['mysql2, of a time zone', 'mysql', `timezone=${SECRET}`, 'warning: the package mysql2 ignores "timezone" in the'],
  ])('is kept from the output: %s', async (_, scheme, parameter, warning) => {
    const outputs = [jest.spyOn(process, 'emitWarning'), jest.spyOn(console, 'error'), jest.spyOn(console, 'warn')];
    const err = await failed('list', `${scheme}://ada:${SECRET}@127.0.0.1:1/shop?${parameter}`, 1);
    for (const output of outputs) expect(output).not.toHaveBeenCalled();
    jest.restoreAllMocks();
    expect(err.slice(0, err.indexOf('[UNAVAILABLE]'))).toContain(warning);
    expect(err.startsWith(warning.slice(0, 8) || '[UNAVAILABLE]')).toBe(true);
  });
});

/** What PostgreSQL answers when it rejects a connection. */
function ofPostgres(state: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${state}\0Mno, said the server\0\0`);
  const head = Buffer.from('E\0\0\0\0');
  head.writeUInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}

/** The same for MySQL. */
function ofMySql(number: number, state: string): Buffer {
  const text = Buffer.from(`\xff\0\0#${state}no, said the server`, 'latin1');
  text.writeUInt16LE(number, 1);
  const head = Buffer.alloc(4);
  head.writeUIntLE(text.length, 0, 3);
  return Buffer.concat([head, text]);
}
