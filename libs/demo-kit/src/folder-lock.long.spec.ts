import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FolderLockedError, lockFolder, processStart } from './folder-lock.js';

let folder: string;

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'folder-lock-')), 'data');
});

afterEach(() => {
  rmSync(join(folder, '..'), { recursive: true, force: true });
});

describe('lockFolder', () => {
  it('cannot be locked again until it is released', () => {
    const lock = lockFolder(folder);
    expect(() => lockFolder(folder)).toThrow(new FolderLockedError(folder, process.pid));
    lock.release();
    lockFolder(folder).release();
    expect(existsSync(join(folder, 'lock'))).toBe(false);
  });

  it('names the process that holds the folder', async () => {
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] });
    await once(child, 'spawn');
    lockFolder(folder).release();
    const startedAt = processStart(Number(child.pid));
    writeFileSync(join(folder, 'lock'), JSON.stringify({ pid: child.pid, startedAt }));
    expect(() => lockFolder(folder)).toThrow(`in use by process ${child.pid}`);
    child.stdin?.end();
    await once(child, 'exit');
    lockFolder(folder).release();
  });

  it('takes over a lock whose pid was reused by another process, or that is incomplete', () => {
    lockFolder(folder).release();
    for (const stale of [JSON.stringify({ pid: process.pid, startedAt: 'long ago' }), '{"pid":', '']) {
      writeFileSync(join(folder, 'lock'), stale);
      lockFolder(folder).release();
      expect(readdirSync(folder)).toEqual([]);
    }
  });

  it('does not release a lock that another process has taken over', () => {
    const lock = lockFolder(folder);
    writeFileSync(join(folder, 'lock'), '{"pid":1,"startedAt":"x"}');
    lock.release();
    expect(existsSync(join(folder, 'lock'))).toBe(true);
  });
});
