// Vitest on the sources of the library, for what its users run with Vitest. test/runners/runners.long.spec.ts starts it.

import { join, resolve } from 'node:path';
import { defineConfig } from 'vitest/config';

const root = resolve(import.meta.dirname, '../..');
const entries = join(root, 'libs/rocketmq/src/entries');

export default defineConfig({
  root,
  cacheDir: join(root, 'node_modules/.vite-tests'),
  resolve: {
    alias: [
      { find: /^nestjs-rocketmq$/, replacement: join(entries, 'nest.ts') },
      { find: /^nestjs-rocketmq\/(.+)$/, replacement: join(entries, '$1.ts') },
    ],
  },
  test: {
    include: ['docs/examples/*.vitest.ts', 'test/runners/vitest/*.vitest.ts'],
    setupFiles: ['reflect-metadata'],
    pool: 'forks',
    maxWorkers: 1,
  },
});
