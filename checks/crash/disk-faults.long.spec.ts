// The answers of the broker while its disk is slow or broken. strace delays its system calls or makes them fail. Killing the process
// would prove nothing, because the page cache survives it. Without strace, or without permission to trace other processes, the suite
// is skipped with a notice.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Connection, Producer, SimpleConsumer } from 'nestjs-rocketmq/client';
import { startEmbeddedBroker } from '../../tools/servers/embedded-broker-process.mjs';
import { TYPESCRIPT_ARGS } from '../../tools/typescript/typescript-args.js';

const DELAY_MS = 800;
/** Attaches to a process of this test and detaches again. */
const canTrace = (): boolean => {
  const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 20_000)'], { stdio: 'ignore' });
  const traced = spawnSync('timeout', ['-s', 'INT', '0.5', 'strace', '-f', '-p', String(child.pid)], {
    encoding: 'utf8',
  });
  child.kill('SIGKILL');
  return traced.error === undefined && /attached/.test(traced.stderr);
};
const hasStrace = process.platform === 'linux' && canTrace();
const name = hasStrace
  ? 'a broker whose disk'
  : 'did not run, for want of strace and the right to use it: a broker whose disk';

(hasStrace ? describe : describe.skip)(name, () => {
  let folder: string;
  let broker: Awaited<ReturnType<typeof startEmbeddedBroker>>;
  let tracer: ChildProcess | undefined;
  let closers: (() => Promise<unknown>)[];
  let log: string;

  beforeAll(() => {
    const args = [...TYPESCRIPT_ARGS, 'scripts/build/build.ts', 'nestjs-rocketmq'];
    const built = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(built.stderr).toBe('');
  });

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'disk-'));
    closers = [];
    log = '';
    await start('sync');
  });

  afterEach(async () => {
    for (const close of closers.reverse()) await close();
    await detach();
    await broker.kill();
    await rm(folder, { recursive: true });
  });

  async function start(flush: 'sync' | 'async'): Promise<void> {
    const onStderr = (text: string): void => {
      log += text;
    };
    broker = await startEmbeddedBroker(['--port', '0', '--data', join(folder, 'data'), '--flush', flush], { onStderr });
  }

  /** Applies this to all further system calls of the broker that write data to disk. */
  async function inject(calls: string, fault: string): Promise<void> {
    const args = ['-f', '-q', '-p', String(broker.pid), '-e', `trace=${calls}`, '-e', `inject=${calls}:${fault}`];
    const child = spawn('strace', ['-o', join(folder, 'trace'), ...args], { stdio: ['ignore', 'ignore', 'ignore'] });
    tracer = child;
    const status = join('/proc', String(broker.pid), 'status');
    await until(async () => {
      return new RegExp(`TracerPid:\\t${child.pid}\\n`).test(await readFile(status, 'utf8'));
    });
  }

  async function detach(): Promise<void> {
    const child = tracer;
    tracer = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGINT');
    await ended;
  }

  async function clients() {
    const connection = new Connection({ endpoints: broker.endpoints, requestTimeoutMs: 20_000 });
    const producer = new Producer(connection, { maxAttempts: 1 });
    const consumer = new SimpleConsumer(connection, {
      consumerGroup: 'g',
      subscriptions: [{ topic: 't' }],
      longPollingTimeoutMs: 5_000,
    });
    await Promise.all([producer.start(), consumer.start()]);
    closers.push(async () => {
      await Promise.all([consumer.close(), producer.close()]);
      await connection.close();
    });
    return { producer, consumer };
  }

  /** Stops the broker as users do, and waits until it has exited. */
  async function endedBy(signal: NodeJS.Signals): Promise<void> {
    process.kill(broker.pid, signal);
    const stateOf = () => readFile(join('/proc', String(broker.pid), 'stat'), 'utf8').catch(() => ') Z');
    await until(async () => (await stateOf()).split(') ')[1]?.startsWith('Z') === true);
    await broker.kill();
  }

  const took = async (work: Promise<unknown>): Promise<number> => {
    const beganAt = performance.now();
    await work;
    return performance.now() - beganAt;
  };

  it('is slow answers no send and no ack before the data is on disk; concurrent ones share a flush', async () => {
    const { producer, consumer } = await clients();
    await producer.send({ topic: 't', body: 'before' });
    const [message] = await consumer.receive({ maxMessages: 1 });
    await inject('fdatasync', `delay_enter=${DELAY_MS * 1_000}`);
    const send = () => producer.send({ topic: 't', body: 'x' });
    expect(await took(send())).toBeGreaterThanOrEqual(DELAY_MS);
    expect(await took(consumer.ack(message as NonNullable<typeof message>))).toBeGreaterThanOrEqual(DELAY_MS);
    // One after the other would take twenty times as long.
    expect(await took(Promise.all(Array.from({ length: 20 }, send)))).toBeLessThan(10 * DELAY_MS);
  });

  it('is slow answers at once under async flush', async () => {
    await broker.kill();
    await start('async');
    const { producer } = await clients();
    await producer.send({ topic: 't', body: 'before' });
    await inject('fdatasync', `delay_enter=${DELAY_MS * 1_000}`);
    expect(await took(producer.send({ topic: 't', body: 'x' }))).toBeLessThan(DELAY_MS);
  });

  it.each([
    ['is broken', 'fdatasync', 'error=EIO', /Input\/output error/],
    ['is full', 'pwrite64,pwritev,pwritev2', 'error=ENOSPC', /No space left on device/],
  ])('%s fails the send, and gives no OK again until it is restarted', async (_how, calls, fault, text) => {
    const { producer, consumer } = await clients();
    await producer.send({ topic: 't', body: 'before' });
    const [message] = await consumer.receive({ maxMessages: 1 });
    await inject(calls, fault);
    const send = (body: string) => producer.send({ topic: 't', body });
    await expect(send('lost')).rejects.toMatchObject({ outcome: 'unknown', message: expect.stringMatching(text) });
    await until(async () => /^broker: the broker cannot write to its disk .* restart the broker/m.test(log));
    await detach();
    // The disk works again, but its content is unknown.
    await expect(send('rejected')).rejects.toMatchObject({ outcome: 'unknown', message: expect.stringMatching(text) });
    // The client would retry until the lease ends.
    const signal = AbortSignal.timeout(500);
    await expect(consumer.ack(message as NonNullable<typeof message>, { signal })).rejects.toBeInstanceOf(Error);
    await endedBy('SIGTERM');
    await start('sync');
    const again = await clients();
    await again.producer.send({ topic: 't', body: 'after' });
    const bodies = (await again.consumer.receive({ maxMessages: 10 })).map(({ body }) => body.toString());
    expect(bodies).toContain('after');
    expect(bodies).not.toContain('rejected');
  });
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const lastTryAtMs = Date.now() + 10_000; !(await holds()); ) {
    if (Date.now() > lastTryAtMs)
      throw new Error('did not come true in 10 s: strace attached, the broker said why, or ended');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
