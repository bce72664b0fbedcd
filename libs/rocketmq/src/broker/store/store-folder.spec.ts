// Locking of the data folder, and the errors for folders that cannot be used.

import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SystemClock } from '../../support/clock.js';
import { currentProcess } from '../../support/process-mark.js';
import { LmdbStore } from './lmdb-store.js';
import type { StoreFailure } from './store-failure.js';

let folder: string;
let open: LmdbStore[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'folder-'));
  open = [];
});

afterEach(async () => {
  for (const store of open) await store.close();
  await rm(folder, { recursive: true });
});

function storeIn(path = folder): LmdbStore {
  const failed = (failure: StoreFailure): void => expect(failure).toBeUndefined();
  const store = new LmdbStore({
    folder: path,
    flush: 'sync',
    clock: new SystemClock(),
    failed,
    nameOf: String,
    damaged: () => {},
  });
  open.push(store);
  return store;
}

async function fill(count: number): Promise<void> {
  const store = storeIn();
  await store.open();
  for (let index = 0; index < count; index++) {
    store.write([{ kind: 'put', key: ['log', index], value: { body: Buffer.alloc(1_000, index) } }]);
  }
  await store.close();
}

const lockFile = (): string => join(folder, 'LOCK');
const lockBy = (fields: object): Promise<void> => writeFile(lockFile(), JSON.stringify({ id: 'x', ...fields }));

describe('a folder in use', () => {
  it('cannot be opened by a second store of this process, under any path, until the first is closed', async () => {
    await storeIn().open();
    const again = storeIn(join(folder, '..', folder.split('/').at(-1) as string));
    await expect(again.open()).rejects.toMatchObject({
      code: 'DATA_IN_USE',
      message: expect.stringContaining(
        `another broker of this process (pid ${process.pid}); nothing was started; stop it, or choose another folder`,
      ),
    });
    await open[0]?.close();
    await again.open();
  });

  it('cannot be opened while another process holds it, and can once that process has ended', async () => {
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const pid = child.pid as number;
    const { startedAt } = await startOf(pid);
    await lockBy({ pid, host: hostname(), startedAt });
    await expect(storeIn().open()).rejects.toMatchObject({
      code: 'DATA_IN_USE',
      message: expect.stringContaining(`process ${pid}; nothing was started; stop it, or choose another folder`),
    });
    child.stdin?.end();
    await ended;
    await storeIn().open();
  });

  it('can be opened when the pid has since been reused by another process, including this one', async () => {
    await lockBy({ pid: process.pid, host: hostname(), startedAt: 'before' });
    await storeIn().open();
    expect(JSON.parse(await readFile(lockFile(), 'utf8'))).toMatchObject(await currentProcess());
  });

  it('cannot be opened when its holder is on another host; the error names the file to delete', async () => {
    await lockBy({ pid: 1, host: 'elsewhere', startedAt: '' });
    await expect(storeIn().open()).rejects.toThrow(/process 1 of the host elsewhere.*delete .*LOCK/);
  });

  it('is opened by exactly one of many processes that find its lock stale', async () => {
    await lockBy({ pid: process.pid, host: hostname(), startedAt: 'before' });
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => storeIn().open()));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('is unlocked after a close, and contains only its own files', async () => {
    await fill(1);
    expect((await readdir(folder)).sort()).toEqual(['broker.json', 'messages.mdb', 'messages.mdb-lock']);
  });
});

describe('a folder that cannot be used', () => {
  const rejection = async (code: string, text: string, store = storeIn()): Promise<void> => {
    await expect(store.open()).rejects.toMatchObject({ code, message: expect.stringContaining(text) });
  };

  it('contains files of others, which stay unchanged', async () => {
    await writeFile(join(folder, 'thesis.doc'), 'years of work');
    await rejection('DATA_FOREIGN', 'it contains thesis.doc');
    expect(await readdir(folder)).toEqual(['thesis.doc']);
  });

  it('was written by a newer version', async () => {
    await fill(1);
    await writeFile(join(folder, 'broker.json'), '{"format":4,"state":"complete"}');
    await rejection('DATA_NEWER', 'has format 4; this version of nestjs-rocketmq reads formats up to 3');
  });

  it.each(['', '{"form', '[]', '{"format":"1"}'])('has %j as its description', async (text) => {
    await fill(1);
    await writeFile(join(folder, 'broker.json'), text);
    await rejection('DATA_DAMAGED', 'broker.json is damaged');
  });

  it('has no data file', async () => {
    await fill(1);
    await rm(join(folder, 'messages.mdb'));
    await rejection('DATA_DAMAGED', 'it is missing');
    await rejection('DATA_DAMAGED', 'it is missing');
  });

  it('has a data file of another format', async () => {
    await fill(1);
    await writeFile(join(folder, 'messages.mdb'), 'x'.repeat(10_000));
    await rejection('DATA_DAMAGED', 'it is not an LMDB file');
  });

  it.each([0.3, 0.6, 0.9])('has a data file that is truncated to %d of its length', async (part) => {
    await fill(300);
    const file = join(folder, 'messages.mdb');
    const { size } = await stat(file);
    await truncate(file, Math.floor(size * part));
    await rejection('DATA_DAMAGED', 'its end is missing');
  });

  it('is a regular file', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    await rejection('DATA_UNUSABLE', file, storeIn(file));
    await rm(file);
  });

  it('is unlocked after the failure', async () => {
    await fill(1);
    await rm(join(folder, 'messages.mdb'));
    await rejection('DATA_DAMAGED', 'missing');
    expect(await readdir(folder)).not.toContain('LOCK');
  });
});

describe('a folder of a store', () => {
  const modeOf = async (name: string): Promise<number> => (await stat(join(folder, name))).mode & 0o777;

  it('is made readable by its user only, with all its files, whatever its mode was', async () => {
    folder = join(folder, 'data');
    for (let start = 0; start < 2; start++) {
      await fill(1);
      const store = storeIn();
      await store.open();
      expect(await modeOf('.')).toBe(0o700);
      const names = await readdir(folder);
      expect(names.sort()).toEqual(['LOCK', 'broker.json', 'messages.mdb', 'messages.mdb-lock']);
      for (const name of names) expect([name, await modeOf(name)]).toEqual([name, 0o600]);
      await store.close();
      // The modes of an older version.
      for (const name of await readdir(folder)) await chmod(join(folder, name), 0o644);
      await chmod(folder, 0o755);
    }
    folder = dirname(folder);
  });

  it.each(['messages.mdb', 'messages.mdb-lock', 'LOCK'])(
    'is not written through %s, when that is a link',
    async (name) => {
      const victim = join(folder, '..', `victim-${basename(folder)}`);
      await writeFile(victim, 'not of this broker');
      const data = join(folder, 'data');
      await mkdir(data);
      await writeFile(join(data, 'broker.json'), '{"format":2,"state":"new"}');
      await symlink(victim, join(data, name));
      const opened = storeIn(data).open();
      // A lock file without content has no holder and is removed.
      if (name === 'LOCK') await opened;
      else await expect(opened).rejects.toMatchObject({ code: 'DATA_FOREIGN', message: expect.stringContaining(name) });
      await open[0]?.close();
      expect(await readFile(victim, 'utf8')).toBe('not of this broker');
      await rm(victim);
    },
  );
});

describe('a first start that was interrupted', () => {
  it.each([
    ['before the data file was created', async () => {}],
    ['while the data file was written', () => writeFile(join(folder, 'messages.mdb'), Buffer.alloc(100))],
  ])('%s starts over', async (_when, make) => {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'broker.json'), '{"format":1,"state":"new"}');
    await writeFile(join(folder, 'broker.json.0.new'), '{"for');
    await make();
    await fill(3);
    const store = storeIn();
    await store.open();
    expect([...store.scan(['log'])]).toHaveLength(3);
  });
});

/** The mark that another process would write. */
async function startOf(pid: number): Promise<{ startedAt: string }> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat === undefined) return { startedAt: '' };
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  return { startedAt: `${boot} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}` };
}
