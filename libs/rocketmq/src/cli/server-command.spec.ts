// What `nestjs-rocketmq server` says when it cannot start. test/restarts has it on a real server.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { call } from '../../../../test/fixtures/command-line.js';
import { TYPESCRIPT_ARGS } from '../../../../tools/typescript/typescript-args.js';

const before = { ...process.env };
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'server-command-'));
  process.env.XDG_CACHE_HOME = join(folder, 'cache');
});
afterEach(() => {
  Object.assign(process.env, { PATH: before.PATH });
  if (before.XDG_CACHE_HOME === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = before.XDG_CACHE_HOME;
  rmSync(folder, { recursive: true });
});

/** A machine whose `java` says this of its version. */
function withJava(version: string): void {
  const java = join(folder, 'java');
  writeFileSync(java, `#!/bin/sh\necho 'openjdk version "${version}" 2025-04-15' >&2\n`);
  chmodSync(java, 0o755);
  process.env.PATH = `${folder}:${before.PATH}`;
}

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function downloads(): string[] {
  const cache = join(folder, 'cache/nestjs-rocketmq');
  return existsSync(cache) ? readdirSync(cache) : [];
}

it('says how to get Java where there is none', async () => {
  process.env.PATH = folder;
  const { code, out, err } = await call(['server']);
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err).toMatch(/needs Java 17 or newer \(no "java" on the PATH\); nothing was started.*openjdk-17-jre-headless/);
});

it('says so where Java is too old', async () => {
  withJava('1.8.0_302');
  expect(await call(['server'])).toMatchObject({ code: 1, err: expect.stringContaining('"java" is version 8') });
});

it('says which version the repository does not have', async () => {
  withJava('17.0.15');
  const repository = createServer((_, response) => response.writeHead(404).end());
  await new Promise<void>((resolve) => repository.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(repository.address() as AddressInfo).port}/maven`;
  try {
    const { code, err } = await call(['server', '--version', '5.99.0', '--repository', `${url}/`]);
    expect(code).toBe(1);
    expect(err).toContain(`${url} has no Apache RocketMQ 5.99.0; nothing was started. The default is 5.5.0`);
    expect(downloads()).toEqual([]);
  } finally {
    repository.closeAllConnections();
    await new Promise((resolve) => repository.close(resolve));
  }
});

it('says why there was no download without a network', async () => {
  withJava('21.0.1');
  const { code, err } = await call(['server', '--repository', `http://127.0.0.1:${await closedPort()}`]);
  expect(code).toBe(1);
  expect(err).toMatch(
    /5\.5\.0 could not be downloaded, and nothing was started: .*ECONNREFUSED.*mirror by --repository/,
  );
  expect(downloads()).toEqual([]);
});

it.each([
  [['--version', 'latest'], 1, '"latest" is not a version such as 5.5.0'],
  [['--port', '0'], 2, 'a port from 3 to 65534'],
  [['--topic', 'orders:quick'], 2, 'The type must be one of'],
  [['--repository', 'http://example.com/maven'], 2, 'must be an https address'],
  [['--repository', 'https://ada:secret@example.com'], 2, 'must be an https address'],
] as const)('rejects %j', async (args, code, problem) => {
  const called = await call(['server', ...args]);
  expect(called).toMatchObject({ code, err: expect.stringContaining(problem) });
  expect(called.err).not.toContain('secret');
});

it('fails with --wait as without it, and leaves nothing running', async () => {
  const program = join(folder, 'main.mjs');
  const source = pathToFileURL('libs/rocketmq/src/cli/main.ts').href;
  writeFileSync(
    program,
    `const { main } = await import('${source}'); await main(process.argv.slice(2), (name) => import(name));`,
  );
  const env = { ...process.env, PATH: folder, TMPDIR: folder };
  const child = spawn(process.execPath, [...TYPESCRIPT_ARGS, program, 'server', '--wait'], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err).toContain('needs Java 17 or newer (no "java" on the PATH); nothing was started');
  expect(readdirSync(folder).filter((name) => name.startsWith('nestjs-rocketmq-server-'))).toEqual([]);
});
