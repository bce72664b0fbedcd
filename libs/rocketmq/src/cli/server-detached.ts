// `nestjs-rocketmq server --wait`: the same command in a process that outlives this one.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CommandIo } from './command.js';
import { askedToStop } from './until-stopped.js';

/** Resolves when the server is ready, or when it has ended before; then the command has failed. */
export async function startDetached(io: CommandIo): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'nestjs-rocketmq-server-'));
  const log = join(folder, 'server.log');
  const file = openSync(log, 'a');
  const words = process.argv.slice(1).filter((word) => word !== '--wait');
  const child = spawn(process.execPath, [...process.execArgv, ...words, '--detached'], {
    detached: true,
    stdio: ['ignore', file, file, 'ipc'],
  });
  closeSync(file);
  io.err(`waiting for the server, which writes to ${log}\n`);
  const over = new AbortController();
  void askedToStop(over.signal).then(() => child.kill());
  try {
    const ready = once(child, 'message', { signal: over.signal }).then(() => true);
    const ended = once(child, 'close', { signal: over.signal }).then(() => false);
    const isReady = await Promise.race([ready, ended]);
    for (const other of [ready, ended]) other.catch(() => undefined);
    if (isReady) {
      io.out(`${readFileSync(log, 'utf8')}it goes on; stop it with: kill ${child.pid}\n`);
      return;
    }
    io.err(readFileSync(log, 'utf8'));
    rmSync(folder, { recursive: true });
    io.fail();
  } finally {
    over.abort();
    if (child.connected) child.disconnect();
    child.unref();
  }
}
