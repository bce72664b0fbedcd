// However the steps of several processes interleave, at most one holds a folder.

import { link, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { FolderLock, type LockFiles } from './folder-lock.js';

const DEAD = JSON.stringify({ id: 'dead', pid: process.pid, host: hostname(), startedAt: 'before' });

it.each([
  ['no lock', []],
  ['a stale lock', [['LOCK', DEAD]]],
  [
    'a stale lock whose successor died before it replaced it',
    [
      ['LOCK', DEAD],
      ['LOCK.dead', DEAD.replace('"dead"', '"x"')],
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
