// A data folder is configured, but the required package is not installed.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { TYPESCRIPT_ARGS } from '../../tools/typescript/typescript-args.js';

/** The package is CommonJS, whose `require` no loader of ES modules sees. */
const missing = `
  const { Module } = require('node:module');
  const load = Module._load;
  Module._load = function (request, ...rest) {
    if (request === 'lmdb') throw Object.assign(new Error("Cannot find module 'lmdb'"), { code: 'MODULE_NOT_FOUND' });
    return load.call(this, request, ...rest);
  };
`;
const options = { encoding: 'utf8', timeout: 60_000 } as const;

it('a broker with a folder and without the package lmdb reports what to install', () => {
  const folder = mkdtempSync(join(tmpdir(), 'without-'));
  const data = join(folder, 'data');
  try {
    writeFileSync(join(folder, 'missing.cjs'), missing);
    const build = [...TYPESCRIPT_ARGS, 'scripts/build/build.ts', 'nestjs-rocketmq'];
    const built = spawnSync(process.execPath, build, options);
    expect([built.status, built.stderr]).toEqual([0, expect.any(String)]);
    const start = ['libs/rocketmq/bin/nestjs-rocketmq.js', 'broker', '--port', '0', '--data', data];
    const args = ['--require', join(folder, 'missing.cjs'), ...start];
    const { status, stderr } = spawnSync(process.execPath, args, options);
    expect(stderr).toContain('[LMDB_MISSING]');
    expect(stderr).toMatch(/^[^\n]*npm install lmdb@3 --include=optional\n$/);
    expect(status).toBe(1);
    expect(existsSync(data)).toBe(false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
