// The command line as a process whose output is not read.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect, it } from '@jest/globals';

const PROGRAM = "const { main } = await import('./libs/rocketmq/src/cli/main.ts'); await main(['broker', '--help']);";

it('succeeds when the reader closes the pipe early, as `head` does', async () => {
  const args = ['--import', './test/support/run-typescript.mjs', '--input-type=module', '-e', PROGRAM];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  const [err, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  expect({ code, err }).toEqual({ code: 0, err: '' });
});
