// The command line as a process whose output is not read.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, it } from '@jest/globals';
import { ScriptedCluster } from '../../../../test/fixtures/scripted-cluster.js';
import type { ScriptedReply } from '../../../../test/fixtures/scripted-remoting-server.js';
import { TYPESCRIPT_ARGS } from '../../../../tools/typescript/typescript-args.js';
import { eventually } from '../../../../tools/until.js';
import { encodeStoredMessage } from '../protocol/remoting/stored-message.js';

function programOf(...args: readonly string[]): string[] {
  const program = `const { main } = await import('./libs/rocketmq/src/cli/main.ts'); await main(${JSON.stringify(args)}, (name) => import(name));`;
  return [...TYPESCRIPT_ARGS, '--input-type=module', '-e', program];
}

it('succeeds when the reader closes the pipe early, as `head` does', async () => {
  const child = spawn(process.execPath, programOf('broker', '--help'), { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  const [err, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  expect({ code, err }).toEqual({ code: 0, err: '' });
});

it.each([[['broker', '--help']], [['sql', '--dialect', 'postgresql']]])(
  'fails with one line when its output cannot be written: %j',
  async (args) => {
    const full = openSync('/dev/full', 'w');
    try {
      const child = spawn(process.execPath, programOf(...args), { stdio: ['ignore', full, 'pipe'] });
      const [err, [code]] = await Promise.all([text(child.stderr as Readable), once(child, 'close')]);
      expect({ code, err }).toEqual({
        code: 1,
        err: expect.stringMatching(/^the output cannot be written: ENOSPC.*\n$/),
      });
    } finally {
      closeSync(full);
    }
  },
);

it('follows a topic no faster than its reader reads', async () => {
  const count = 1_500;
  const body = Buffer.alloc(50_000, 'A');
  const at = { queueId: 0, commitLogOffset: 0, preparedTransactionOffset: 0, bodyCrc: 0, flag: 0, sysFlag: 0 };
  const times = { bornTimestampMs: 1, bornHost: '127.0.0.1:1', storeTimestampMs: 100, storeHost: '127.0.0.1:2' };
  const cluster = new ScriptedCluster();
  const { nameServer, brokers } = await cluster.start([
    ({ code, fields }): ScriptedReply => {
      const key = '{"brokerName":"broker-0","queueId":0,"topic":"orders"}';
      if (code === 202) return { body: `{"offsetTable":{${key}:{"minOffset":0,"maxOffset":${count}}}}` };
      if (code === 29) return { fields: { offset: '0' } };
      const begin = Number(fields.queueOffset);
      const page = Array.from({ length: Math.min(5, count - begin) }, (_, index) =>
        encodeStoredMessage({
          ...at,
          ...times,
          topic: 'orders',
          queueOffset: begin + index,
          reconsumeTimes: 0,
          body,
          properties: new Map([['UNIQ_KEY', `id-${begin + index}`]]),
        }),
      );
      return { fields: { nextBeginOffset: String(begin + page.length) }, body: Buffer.concat(page) };
    },
  ]);
  const reads = (): number => brokers[0]?.requests.filter(({ code }) => code === 11).length ?? 0;
  const tail = ['message', 'tail', 'orders', '--from', '1970-01-01T00:00:00Z', '--json'];
  const child = spawn(process.execPath, programOf(...tail, '--name-server', nameServer.address), {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const closed = once(child, 'close');
  try {
    child.stdout.pause();
    await eventually(reads, (count) => count > 0);
    // Once it waits for its reader it asks no more: it is still for as long as three of its looks would take.
    const asked = (): number => brokers[0]?.requests.length ?? 0;
    let [known, stillFor] = [0, 0];
    await eventually(asked, (now) => {
      stillFor = now === known ? stillFor + 1 : 0;
      known = now;
      return stillFor > 30;
    });
    expect(reads()).toBeLessThan(count / 5 / 2);
  } finally {
    child.kill();
    child.stdout.destroy();
    await closed;
    await cluster.close();
  }
}, 60_000);
