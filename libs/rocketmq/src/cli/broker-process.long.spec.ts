// `nestjs-rocketmq broker` as a process: its ports, and what it prints for the clients of each.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { TYPESCRIPT_ARGS } from '../../../../tools/typescript/typescript-args.js';
import { eventually } from '../../../../tools/until.js';
import { RocketMQAdmin } from '../admin/rocketmq-admin.js';

const BY_GRPC = /^clients by gRPC .*: endpoints (\S+)$/m;
const BY_REMOTING = /^clients by remoting .*: name server (\S+)$/m;

const running: ChildProcess[] = [];

afterEach(async () => {
  for (const child of running.splice(0)) {
    child.kill('SIGINT');
    if (child.exitCode === null) await once(child, 'close');
  }
});

function run(...args: readonly string[]) {
  const line = JSON.stringify(['broker', '--port', '0', ...args]);
  const program = `const { main } = await import('./libs/rocketmq/src/cli/main.ts'); await main(${line}, (name) => import(name));`;
  const child = spawn(process.execPath, [...TYPESCRIPT_ARGS, '--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  const printed = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => {
    printed.out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    printed.err += text;
  });
  return { child, printed };
}

/** Resolves when it prints that it is ready, and where. */
async function started(...args: readonly string[]) {
  const { printed } = run(...args);
  await eventually(
    () => printed.out,
    (text) => BY_GRPC.test(text),
  );
  return { ...printed, grpc: BY_GRPC.exec(printed.out)?.[1], remoting: BY_REMOTING.exec(printed.out)?.[1] };
}

/** Takes the default name server port, if nobody has it. */
async function takePort(): Promise<() => void> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.once('error', () => resolve()).listen(9876, '127.0.0.1', resolve);
  });
  return () => server.close();
}

describe('the ports of the command', () => {
  it('are also for clients by remoting by default, at any free port if the default one is in use', async () => {
    const release = await takePort();
    const broker = await started('--topic', 'orders');
    release();
    expect(broker.remoting).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(broker.remoting).not.toBe('127.0.0.1:9876');
    expect(broker.err).toMatch(/^port 9876 is in use, by a name server or another broker: .*\n$/);
    const admin = new RocketMQAdmin({ nameServer: broker.remoting ?? '' });
    expect((await admin.listTopics()).topics.map(({ topic }) => topic)).toContain('orders');
    await admin.close();
  });

  it('fail the start when one that was asked for is in use', async () => {
    const release = await takePort();
    const { child, printed } = run('--name-server-port', '9876');
    const [code] = await once(child, 'close');
    release();
    expect({ code, err: printed.err }).toEqual({
      code: 1,
      err: expect.stringContaining('cannot listen on 127.0.0.1:9876'),
    });
  });

  it('are for gRPC only on request', async () => {
    const broker = await started('--no-name-server-port');
    expect(broker).toMatchObject({ err: '', remoting: undefined });
  });

  it('are needed by the console', async () => {
    const { child, printed } = run('--no-name-server-port', '--console');
    const [code] = await once(child, 'close');
    expect({ code, err: printed.err }).toEqual({ code: 2, err: expect.stringContaining('--console needs') });
  });

  it('are printed with the host that clients are sent to', async () => {
    const broker = await started('--name-server-port', '0', '--host', '0.0.0.0', '--advertise', 'broker.test');
    expect(broker.grpc).toMatch(/^broker\.test:\d+$/);
    expect(broker.remoting).toMatch(/^broker\.test:\d+$/);
  });
});
