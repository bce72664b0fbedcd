// However the steps of several processes interleave, at most one holds a folder.

import { link, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { FolderLock, isOfLock, type LockFiles } from './folder-lock.js';

const [FIRST, SECOND] = ['0b6f0c1e-7d0e-4f6a-9a51-3a8a1c2f0d11', '5e1d2c3b-4a59-4687-8796-a5b4c3d2e1f0'];
const DEAD = JSON.stringify({ id: FIRST, pid: process.pid, host: hostname(), startedAt: 'before' });

it.each([
  ['no lock', []],
  ['a stale lock', [['LOCK', DEAD]]],
  [
    'a stale lock whose successor died before it replaced it',
    [
      ['LOCK', DEAD],
      [`LOCK.${FIRST}`, DEAD.replace(FIRST, SECOND)],
    ],
  ],
  ['a lock that is no lock', [['LOCK', '{"pid']]],
] as const)('one of several processes takes a folder with %s', async (_, found) => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), async (scheduler) => {
      const folder = await mkdtemp(join(tmpdir(), 'lock-'));
      try {
        for (const [name, text] of found) await writeFile(join(folder, name), text);
        const files: LockFiles = {
          link: scheduler.scheduleFunction(link),
          rename: scheduler.scheduleFunction(rename),
          readFile: scheduler.scheduleFunction((file, encoding) => readFile(file, encoding)),
          rm: scheduler.scheduleFunction(rm),
        };
        const takes = Promise.allSettled(Array.from({ length: 4 }, () => FolderLock.take(folder, files)));
        const results = await scheduler.waitFor(takes);
        const taken = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
        expect(taken).toHaveLength(1);
        for (const result of results)
          if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'DATA_IN_USE' });
        expect(await readdir(folder)).toEqual(['LOCK']);
        await scheduler.waitFor(Promise.all(taken.map((one) => one.release())));
        expect(await readdir(folder)).toEqual([]);
      } finally {
        await rm(folder, { recursive: true });
      }
    }),
    { numRuns: 100 },
  );
});

describe('a lock', () => {
  let folder: string;
  const node: LockFiles = { link, rename, readFile, rm };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lock-'));
  });

  afterEach(() => rm(folder, { recursive: true }));

  it.each(['link', 'rename', 'readFile'] as const)('that fails at %s does not hold the folder', async (step) => {
    for (let call = 1; call <= 6; call++) {
      await writeFile(join(folder, 'LOCK'), DEAD);
      let calls = 0;
      const failing = async (...given: never[]): Promise<never> => {
        if (++calls === call) throw new Error('no more files');
        return (node[step] as (...given: never[]) => Promise<never>)(...given);
      };
      const first = await FolderLock.take(folder, { ...node, [step]: failing }).catch((error: Error) => error);
      calls = call;
      if (first instanceof Error) expect(first.message).toBe('no more files');
      else await first.release();
      await (await FolderLock.take(folder)).release();
      expect(await readdir(folder)).toEqual([]);
    }
  });

  it('leaves files of others alone, whatever they are called', async () => {
    await writeFile(join(folder, 'LOCK'), DEAD);
    await writeFile(join(folder, 'LOCK.keys.json'), 'secret');
    await (await FolderLock.take(folder)).release();
    expect(await readdir(folder)).toEqual(['LOCK.keys.json']);
    expect(['LOCK', `LOCK.${FIRST}`, `LOCK.${FIRST}.new`, 'LOCK.unknown'].map(isOfLock)).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(['LOCK.keys.json', 'LOCK.d', 'thesis.new', `LOCKS.${FIRST}`].map(isOfLock)).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  it('is reported when it and the one that it succeeds are damaged', async () => {
    await writeFile(join(folder, 'LOCK'), '');
    await writeFile(join(folder, 'LOCK.unknown'), '');
    await expect(FolderLock.take(folder)).rejects.toMatchObject({
      code: 'DATA_DAMAGED',
      message: expect.stringContaining(join(folder, 'LOCK.unknown')),
    });
  });
});
