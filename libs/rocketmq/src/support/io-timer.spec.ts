import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { blockThread } from '../../../../test/fixtures/blocked-loop.js';
import { soon } from '../../../../tools/until.js';
import { IoTimer } from './io-timer.js';

/** It answers while this process is blocked. */
const ECHO = `require('node:net').createServer((socket) => socket.pipe(socket))
  .listen(0, '127.0.0.1', function () { process.stdout.write(String(this.address().port)); })`;
const DELAY_MS = 50;

describe('a timer of I/O', () => {
  let echo: ChildProcess;
  let socket: Socket;

  beforeEach(async () => {
    echo = spawn(process.execPath, ['-e', ECHO], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [port] = await once(echo.stdout as NodeJS.ReadableStream, 'data');
    socket = connect(Number(port), '127.0.0.1');
    await once(socket, 'connect');
  });

  afterEach(async () => {
    socket.destroy();
    echo.kill();
    await once(echo, 'close');
  });

  it('runs after what has arrived while the event loop was blocked was read', async () => {
    const seen: string[] = [];
    socket.on('data', () => seen.push('answer'));
    new IoTimer(DELAY_MS, () => seen.push('time-out'), undefined);
    socket.write('question');
    blockThread(10 * DELAY_MS);
    await soon(() => seen.includes('time-out'));
    expect(seen).toEqual(['answer', 'time-out']);
  });

  it('does not run when what was read stops it', async () => {
    const seen: string[] = [];
    const timer = new IoTimer(DELAY_MS, () => seen.push('time-out'), undefined);
    socket.on('data', () => {
      timer.stop();
      // Later than the time-out would be.
      new IoTimer(DELAY_MS, () => seen.push('end'), undefined);
    });
    socket.write('question');
    blockThread(10 * DELAY_MS);
    await soon(() => seen.length > 0);
    expect(seen).toEqual(['end']);
  });
});
