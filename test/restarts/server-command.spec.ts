// `nestjs-rocketmq server` as a process, with a real server: what it starts, and what is left when it ends.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { afterEach, expect, it } from '@jest/globals';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { Connection, Producer, PushConsumer } from 'nestjs-rocketmq/client';
import { canDieWithParent } from '../../libs/rocketmq/src/cli/server/child-processes.js';
import { accepts, takePortBlock } from '../../tools/ports.js';
import { TYPESCRIPT_ARGS } from '../../tools/typescript/typescript-args.js';
import { eventually } from '../../tools/until.js';

const TEST_MS = 240_000;
const START_MS = 120_000;
const END_MS = 60_000;
const version = process.env.ROCKETMQ_TEST_VERSION ?? '5.5.0';
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Started {
  readonly child: ChildProcess;
  readonly endpoints: string;
  readonly nameServer: string;
  /** The ports that clients use. */
  readonly ports: readonly number[];
}

async function started(...args: readonly string[]): Promise<Started> {
  const { first, release } = await takePortBlock();
  ends.push(release);
  const given = { port: first, 'remoting-port': first + 1, 'name-server-port': first + 2, 'broker-port': first + 6 };
  const ports = Object.entries(given).flatMap(([name, port]) => [`--${name}`, String(port)]);
  const line = JSON.stringify(['server', '--version', version, ...ports, ...args]);
  const program = `const { main } = await import('./libs/rocketmq/src/cli/main.ts'); await main(${line}, (name) => import(name));`;
  const child = spawn(process.execPath, [...TYPESCRIPT_ARGS, '--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  ends.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'close');
  });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    out += text;
  });
  const isReady = (text: string): boolean => text.includes('name server 127') || child.exitCode !== null;
  await eventually(() => out, isReady, START_MS);
  const endpoints = /^clients: endpoints (\S+)$/m.exec(out)?.[1] ?? '';
  const nameServer = /name server (\S+)$/m.exec(out)?.[1] ?? '';
  const clients = [...endpoints.matchAll(/\d+$/g), ...nameServer.matchAll(/\d+$/g)].map(([port]) => Number(port));
  return { child, endpoints, nameServer, ports: [...clients, given['broker-port']] };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function areClosed(ports: readonly number[]): Promise<boolean> {
  return !(await Promise.all(ports.map(accepts))).includes(true);
}

/** Sends a message, and returns what a consumer of the group receives first. */
async function roundTrip({ endpoints }: Started, body: string): Promise<string> {
  const connection = new Connection({ endpoints });
  const producer = new Producer(connection);
  let handled: (text: string) => void = () => {};
  const arrived = new Promise<string>((resolve) => {
    handled = resolve;
  });
  const consumer = new PushConsumer(connection, {
    consumerGroup: 'billing',
    subscriptions: [{ topic: 'orders' }],
    handler: async ({ body: received }) => handled(Buffer.from(received).toString('utf8')),
  });
  try {
    await producer.start();
    await consumer.start();
    await producer.send({ topic: 'orders', body });
    return await arrived;
  } finally {
    await consumer.close();
    await producer.close();
    connection.close();
  }
}

it(
  'serves with its topics and groups and no others, and leaves nothing behind when it is asked to end',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'server-command-'));
    ends.push(() => rmSync(folder, { recursive: true, force: true }));
    const args = ['--topic', 'orders', '--group', 'billing', '--data', folder];
    const server = await started(...args);
    expect(await roundTrip(server, 'first')).toBe('first');
    const admin = new RocketMQAdmin({ nameServer: server.nameServer });
    ends.push(() => admin.close());
    const connection = new Connection({ endpoints: server.endpoints });
    const producer = new Producer(connection);
    await expect(producer.send({ topic: 'unknown', body: 'x' })).rejects.toMatchObject({ code: 'TOPIC_NOT_FOUND' });
    await producer.close();
    connection.close();
    expect(await admin.describeTopic('unknown')).toBeUndefined();

    server.child.kill('SIGINT');
    const [code] = await once(server.child, 'close');
    expect(code).toBe(0);
    expect(await areClosed(server.ports)).toBe(true);

    const again = await started(...args);
    const known = new RocketMQAdmin({ nameServer: again.nameServer });
    ends.push(() => known.close());
    expect(await known.describeTopic('orders')).toBeDefined();
  },
  TEST_MS,
);

it(
  'goes on after a command that waited until it was ready',
  async () => {
    const { first, release } = await takePortBlock();
    ends.push(release);
    const folder = mkdtempSync(join(tmpdir(), 'server-command-'));
    ends.push(() => rmSync(folder, { recursive: true, force: true }));
    const program = join(folder, 'main.mjs');
    const source = pathToFileURL('libs/rocketmq/src/cli/main.ts').href;
    const code = `const { main } = await import('${source}'); await main(process.argv.slice(2), (name) => import(name));`;
    writeFileSync(program, code);
    const ports = `--port ${first} --remoting-port ${first + 1} --name-server-port ${first + 2} --broker-port ${first + 6}`;
    const line = `server --version ${version} ${ports} --topic orders --group billing --wait`;
    const child = spawn(process.execPath, [...TYPESCRIPT_ARGS, program, ...line.split(' ')], {
      env: { ...process.env, TMPDIR: folder },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [out, [exitCode]] = await Promise.all([text(child.stdout), once(child, 'close')]);
    const pid = Number(/^it goes on; stop it with: kill (\d+)$/m.exec(out)?.[1]);
    ends.push(() => isAlive(pid) && process.kill(pid, 'SIGKILL'));
    expect({ exitCode, pid: pid > 0 }).toEqual({ exitCode: 0, pid: true });
    const nameServer = `127.0.0.1:${first + 2}`;
    const admin = new RocketMQAdmin({ nameServer });
    ends.push(() => admin.close());
    expect(await admin.describeTopic('orders')).toBeDefined();

    process.kill(pid, 'SIGTERM');
    const isEnded = await eventually(
      () => !isAlive(pid),
      (ended) => ended,
      END_MS,
    );
    expect([isEnded, await areClosed([first + 2, first + 6])]).toEqual([true, true]);
  },
  TEST_MS,
);

const whereTheKernelHelps = canDieWithParent() ? it : it.skip;

whereTheKernelHelps(
  'ends its server when it is killed itself',
  async () => {
    const { child, ports } = await started('--topic', 'orders');
    expect(await areClosed(ports)).toBe(false);
    child.kill('SIGKILL');
    const isClosed = await eventually(
      () => areClosed(ports),
      (closed) => closed,
      END_MS,
    );
    expect(isClosed).toBe(true);
  },
  TEST_MS,
);
