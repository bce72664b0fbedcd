// What a replay of the command line says when a signal ends it.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { deadLetterScript } from '../../../../test/fixtures/dead-letter-script.js';
import { ScriptedCluster } from '../../../../test/fixtures/scripted-cluster.js';
import type { ScriptedReply } from '../../../../test/fixtures/scripted-remoting-server.js';
import { TYPESCRIPT_ARGS } from '../../../../tools/typescript/typescript-args.js';
import { until } from '../../../../tools/until.js';
import { RocketMQAdmin } from '../admin/rocketmq-admin.js';

const COUNT = 3;
const SEND = 10;
const LOOK_UP = 12;
const cluster = new ScriptedCluster();
const folder = mkdtempSync(join(tmpdir(), 'interrupted-'));
afterEach(() => cluster.close());
afterAll(() => rmSync(folder, { recursive: true }));

/** A broker that answers the first send, and never the second one, or whichever request after it is silent. */
async function opened(isSilent: (request: { readonly code: number; readonly sends: number }) => boolean) {
  const script = deadLetterScript(COUNT);
  let sends = 0;
  let isAsked = false;
  const { nameServer } = await cluster.start([
    (request): ScriptedReply => {
      const { code } = request;
      if (isSilent({ code, sends })) {
        isAsked = true;
        return undefined;
      }
      if (code === SEND) sends++;
      return script(request);
    },
  ]);
  return { address: nameServer.address, asked: () => until(() => isAsked) };
}

async function interrupted(
  words: readonly string[],
  address: string,
  asked: () => Promise<unknown>,
  by: NodeJS.Signals,
) {
  const args = JSON.stringify([...words, '--timeout', '60000', '--name-server', address]);
  const program = `const { main } = await import('./libs/rocketmq/src/cli/main.ts'); await main(${args}, (name) => import(name));`;
  const child = spawn(process.execPath, [...TYPESCRIPT_ARGS, '--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  await asked();
  child.kill(by);
  const [out, err, [code]] = await ended;
  return { out, err, code };
}

describe('a replay that a signal ends', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('says how many were replayed, and that the one in flight is unknown: %s', async (by, code) => {
    const { address, asked } = await opened((request) => request.code === SEND && request.sends === 1);
    expect(await interrupted(['dlq', 'replay', 'billing', '--yes'], address, asked, by)).toEqual({
      code,
      out: '',
      err: `warning: 1 dead letter replayed before the signal; whether id-1 of billing was sent, too, is unknown; running the same command again skips them, and that one if it was sent\ninterrupted by ${by}\n`,
    });
  });

  it('knows when none is in flight', async () => {
    const { address, asked } = await opened((request) => request.code === LOOK_UP && request.sends === 1);
    const { code, out, err } = await interrupted(
      ['dlq', 'replay', 'billing', '--yes', '--json'],
      address,
      asked,
      'SIGINT',
    );
    expect(JSON.parse(out)).toMatchObject({ done: false, replayed: [{ messageId: 'id-0' }] });
    expect(
      err
        .split('\n')
        .slice(0, 2)
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { warning: '1 dead letter replayed before the signal; running the same command again skips them' },
      { error: { code: 'FAILED', message: 'interrupted by SIGINT', outcome: 'unknown', retryable: false } },
    ]);
    expect(code).toBe(130);
  });

  it.each([
    ['its group is looked up', 202, 'SIGINT', 130],
    ['a page of its plan is read', 11, 'SIGTERM', 143],
    ['its plan looks for copies', LOOK_UP, 'SIGINT', 130],
  ] as const)('says that nothing was sent while %s', async (_, silent, by, code) => {
    const { address, asked } = await opened((request) => request.code === silent);
    expect(await interrupted(['dlq', 'replay', 'billing'], address, asked, by)).toEqual({
      code,
      out: '',
      err: `warning: nothing was sent before the signal\ninterrupted by ${by}\n`,
    });
  });

  it('says it as JSON, and with --yes before the first page', async () => {
    for (const [silent, yes] of [
      [11, []],
      [202, ['--yes']],
    ] as const) {
      const { address, asked } = await opened((request) => request.code === silent);
      const args = ['dlq', 'replay', 'billing', '--json', ...yes];
      const { code, out, err } = await interrupted(args, address, asked, 'SIGINT');
      expect(JSON.parse(out)).toMatchObject({ consumerGroup: 'billing', done: false, replayed: [], failed: [] });
      const [warning, failure] = err.split('\n').map((line) => line && JSON.parse(line));
      expect(warning).toEqual({ warning: 'nothing was sent before the signal' });
      expect(failure.error).toMatchObject({ message: 'interrupted by SIGINT', outcome: 'not-sent' });
      expect(code).toBe(130);
      await cluster.close();
    }
  });

  it('is the same for an import', async () => {
    const { address, asked } = await opened((request) => request.code === SEND && request.sends === 1);
    const admin = new RocketMQAdmin({ nameServer: address });
    const { exported } = await admin.exportDeadLetters('billing');
    await admin.close();
    const file = join(folder, 'billing.jsonl');
    const end = { exported: exported.length, next: null };
    writeFileSync(file, [...exported, end].map((line) => JSON.stringify(line)).join('\n'));
    const { code, err } = await interrupted(['dlq', 'import', file, '--again', '--yes'], address, asked, 'SIGINT');
    expect(err).toBe(
      'warning: 1 dead letter replayed before the signal; whether id-1 of billing was sent, too, is unknown; with --again, the same command sends them and that one once more; without it, it skips what was ever replayed\ninterrupted by SIGINT\n',
    );
    expect(code).toBe(130);
  });

  it.each([
    ['with --yes', ['--yes']],
    ['without', []],
  ])('says that nothing was sent while an import checks its file, %s', async (_, yes) => {
    const { address } = await opened(() => false);
    const admin = new RocketMQAdmin({ nameServer: address });
    const { exported } = await admin.exportDeadLetters('billing');
    await admin.close();
    const file = join(folder, `endless${yes.length}`);
    execFileSync('mkfifo', [file]);
    const writer = createWriteStream(file);
    writer.on('error', () => {});
    const written = setInterval(() => writer.write(`${JSON.stringify(exported[0])}\n`), 20);
    const isRead = once(writer, 'open');
    const { code, out, err } = await interrupted(
      ['dlq', 'import', file, '--json', ...yes],
      address,
      () => isRead,
      'SIGINT',
    );
    clearInterval(written);
    writer.destroy();
    expect(JSON.parse(out)).toEqual({ file, done: false, replayed: [], replayedBefore: 0, failed: [] });
    expect(
      err
        .split('\n')
        .slice(0, 2)
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { warning: 'nothing was sent before the signal' },
      { error: { code: 'FAILED', message: 'interrupted by SIGINT', outcome: 'not-sent', retryable: false } },
    ]);
    expect(code).toBe(130);
  });
});
