// Processes that share the limits of a group on a database, some of which are killed. It takes both cores for half a minute, and another one until slots are free.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Connection, Producer, SECOND_MS } from 'nestjs-rocketmq/client';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { openDatabase } from '../../tools/servers/sql-databases.js';
import { levelsOf, POSTGRESQL } from '../../tools/servers/sql-servers.js';
import { TYPESCRIPT_ARGS } from '../../tools/typescript/typescript-args.js';
import { eventually } from '../../tools/until.js';
import { describeWithPostgres } from '../fixtures/postgres.js';
import { LIMITED, type LimitJob, TOGETHER } from './support/limit-job.js';

describeWithPostgres('limits over processes on PostgreSQL', () => {
  let server: Awaited<ReturnType<typeof POSTGRESQL.start>>;

  beforeAll(async () => {
    const [[, setting = ''] = []] = levelsOf(POSTGRESQL);
    server = await POSTGRESQL.start(setting);
    await (await openDatabase(server.place)).close();
  });
  afterAll(() => server?.stop());

  it('are kept when some of them are killed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'limits-'));
    const ofRuns = mkdtempSync(join(tmpdir(), 'runs-'));
    const names = [{ name: LIMITED }, { name: TOGETHER }];
    const broker = await TestBroker.start({ topics: names, groups: names });
    const connection = new Connection({ endpoints: broker.endpoints, requestTimeoutMs: 30_000 });
    const producer = new Producer(connection);
    const children: ChildProcess[] = [];
    const rateLimit = { max: 200, perMs: 4 * SECOND_MS, scope: 'group' } as const;
    const began = (): number[] =>
      readdirSync(folder)
        .flatMap((file) => readFileSync(join(folder, file), 'utf8').trim().split('\n'))
        .map((line) => Number.parseFloat(line))
        .sort((one, other) => one - other);
    const groupConcurrency = 3;
    const killedAtMs: number[] = [];
    const nowMs = () => Number(process.hrtime.bigint()) / 1e6;
    const linesOf = (index: number): string[] => {
      const file = join(ofRuns, `${index}`);
      return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
    };
    const runs = (fromMs = 0) =>
      maxConcurrent(
        children.map((_, index) => ({ lines: linesOf(index), killedAtMs: killedAtMs[index] ?? nowMs() })),
        fromMs,
      );
    const hasBegun = (count: number) =>
      eventually(
        () => began().length,
        (length) => length > count,
      );
    const run = (): void => {
      const file = join(folder, `${children.length}`);
      const job: LimitJob = {
        place: server.place,
        endpoints: broker.endpoints,
        rateLimit,
        groupConcurrency,
        file,
        runs: join(ofRuns, `${children.length}`),
      };
      const program = join(process.cwd(), 'test/sql/support/limit-program.ts');
      children.push(spawn(process.execPath, [...TYPESCRIPT_ARGS, program, JSON.stringify(job)], { stdio: 'inherit' }));
    };
    const kill = async (child: ChildProcess | undefined): Promise<void> => {
      const index = children.indexOf(child as ChildProcess);
      if (child?.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'close');
      child.kill('SIGKILL');
      await ended;
      killedAtMs[index] = nowMs();
    };
    try {
      await producer.start();
      for (let count = 0; count < 4; count++) run();
      await eventually(
        () => broker.connectedClients().length,
        (count) => count === 9,
      );
      const bodies = Array.from({ length: 10 * rateLimit.max }, (_, index) => `${index}`);
      await Promise.all(bodies.map((body) => producer.send({ topic: LIMITED, body })));
      await Promise.all(bodies.map((body) => producer.send({ topic: TOGETHER, body })));
      await hasBegun(4.2 * rateLimit.max);
      const undisturbed = began();
      const fromMs = (undisturbed[0] ?? 0) + rateLimit.perMs;
      const inThree = undisturbed.filter((atMs) => atMs >= fromMs && atMs < fromMs + 3 * rateLimit.perMs).length;
      // 95 % where the processes get the CPU that they want.
      expect(inThree).toBeGreaterThanOrEqual(0.8 * 3 * rateLimit.max);
      await kill(children[0]);
      run();
      await hasBegun(undisturbed.length + rateLimit.max);
      await kill(children[1]);
      await hasBegun(undisturbed.length + 2 * rateLimit.max);
      // A block more: between a turn and the note of its handler, a process may be kept waiting.
      expect(maxWithin(began(), rateLimit.perMs)).toBeLessThanOrEqual(1.1 * rateLimit.max);
      const lastKilledAtMs = nowMs();
      // The slots of the dead are free after their lease, and each of the others has its turn.
      await eventually(
        () => [runs(lastKilledAtMs), ...[2, 3, 4].map((index) => Math.min(1, linesOf(index).length))],
        (most) => most.join() === [groupConcurrency, 1, 1, 1].join(),
        150_000,
      );
      expect(runs()).toBe(groupConcurrency);
    } finally {
      for (const child of children) await kill(child);
      await producer.close();
      connection.close();
      await broker.stop();
      for (const one of [folder, ofRuns]) rmSync(one, { recursive: true });
    }
  }, 300_000);
});

/** The most that began in any time of this length. */
function maxWithin(beganAtMs: readonly number[], perMs: number): number {
  let [first, most] = [0, 0];
  for (const [index, atMs] of beganAtMs.entries()) {
    while ((beganAtMs[first] ?? 0) + perMs <= atMs) first++;
    most = Math.max(most, index - first + 1);
  }
  return most;
}

/** The most handlers that ran at once from this time on, by the lines of each process. One that never ended ran until its process was killed. */
function maxConcurrent(
  processes: readonly { readonly lines: readonly string[]; readonly killedAtMs: number }[],
  fromMs: number,
): number {
  const steps: [atMs: number, step: 1 | -1][] = [];
  for (const { lines, killedAtMs } of processes) {
    const running = new Set<string>();
    for (const line of lines) {
      const [atMs = '', messageId = ''] = line.split(' ');
      const ended = running.delete(messageId);
      if (!ended) running.add(messageId);
      steps.push([Number(atMs), ended ? -1 : 1]);
    }
    for (const _ of running) steps.push([killedAtMs, -1]);
  }
  let [now, most] = [0, 0];
  for (const [atMs, step] of steps.sort(([one, up], [other, down]) => one - other || up - down)) {
    now += step;
    if (atMs >= fromMs) most = Math.max(most, now);
  }
  return most;
}
