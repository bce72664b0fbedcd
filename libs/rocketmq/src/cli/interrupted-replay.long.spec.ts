// What a replay of the command line says when a signal ends it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { ScriptedCluster } from '../../../../test/fixtures/scripted-cluster.js';
import type { ScriptedReply } from '../../../../test/fixtures/scripted-remoting-server.js';
import { TYPESCRIPT_ARGS } from '../../../../tools/typescript/typescript-args.js';
import { until } from '../../../../tools/until.js';
import { RocketMQAdmin } from '../admin/rocketmq-admin.js';
import { encodeStoredMessage } from '../protocol/remoting/stored-message.js';

const COUNT = 3;
const cluster = new ScriptedCluster();
const folder = mkdtempSync(join(tmpdir(), 'interrupted-'));
afterEach(() => cluster.close());
afterAll(() => rmSync(folder, { recursive: true }));

const letters = Array.from({ length: COUNT }, (_, queueOffset) => {
  return encodeStoredMessage({
    topic: '%DLQ%billing',
    queueId: 0,
    queueOffset,
    commitLogOffset: 0,
    sysFlag: 0,
    flag: 0,
    bodyCrc: 0,
    bornTimestampMs: 1,
    bornHost: '127.0.0.1:1',
    storeTimestampMs: 2,
    storeHost: '127.0.0.1:2',
    reconsumeTimes: 3,
    preparedTransactionOffset: 0,
    body: Buffer.from('x'),
    properties: new Map(Object.entries({ UNIQ_KEY: `id-${queueOffset}`, RETRY_TOPIC: 'orders' })),
  });
});

/** A broker that answers the first send, and never the second one, or whichever request after it is silent. */
async function opened(isSilent: (request: { readonly code: number; readonly sends: number }) => boolean) {
  let sends = 0;
  let isAsked = false;
  const { nameServer } = await cluster.start([
    ({ code, fields }): ScriptedReply => {
      if (isSilent({ code, sends })) {
        isAsked = true;
        return undefined;
      }
      if (code === 202) {
        const key = '{"brokerName":"broker-0","queueId":0,"topic":"%DLQ%billing"}';
        return { body: `{"offsetTable":{${key}:{"minOffset":0,"maxOffset":${COUNT}}}}` };
      }
      if (code === 11) {
        const body = Buffer.concat(letters.slice(Number(fields.queueOffset)));
        return { fields: { nextBeginOffset: String(COUNT) }, body };
      }
      if (code === 12) return { code: 22 };
      if (code === 10) sends++;
      return code === 10 ? { fields: { queueId: '0', queueOffset: '0' } } : { code: 3 };
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

const SEND = 10;
const LOOK_UP = 12;

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
      'warning: 1 dead letter replayed before the signal; whether id-1 of billing was sent, too, is unknown; with --again, the same command sends them once more, without it, it skips them\ninterrupted by SIGINT\n',
    );
    expect(code).toBe(130);
  });
});
