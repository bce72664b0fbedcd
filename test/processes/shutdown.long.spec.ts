// SIGTERM under load, with real processes, on the installed version of Nest. The scenario is that of
// `npm run check pack`, which runs it on other versions.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { copyTree, removeTree } from './demo-tree.js';

const TIMEOUT_MS = 240_000;

describe('an application that gets SIGTERM while 100 handlers run', () => {
  let copy: string;

  beforeAll(async () => {
    copy = await copyTree();
  }, TIMEOUT_MS);
  afterAll(() => removeTree(copy));

  it(
    'loses no message and ends within the grace period: listeners and strategy, in any order of imports, though a pool is closed on destroy',
    async () => {
      const { stdout } = await promisify(execFile)(process.execPath, ['checks/pack/scenarios/shutdown.mjs', copy]);
      const lines = stdout.trim().split('\n');
      expect(lines).toHaveLength(8);
      expect(lines.filter((line) => !line.startsWith('ok '))).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
