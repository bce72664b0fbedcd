// A data folder is configured, but the required package is not installed.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';

const missing = `export async function resolve(specifier, context, next) {
  if (specifier === 'lmdb') throw Object.assign(new Error("Cannot find package 'lmdb'"), { code: 'ERR_MODULE_NOT_FOUND' });
  return next(specifier, context);
}`;
const dataUrl = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`;

it('a broker with a folder and without the package lmdb reports what to install', () => {
  spawnSync(process.execPath, ['scripts/build/build.mjs', 'nestjs-rocketmq']);
  const folder = mkdtempSync(join(tmpdir(), 'without-'));
  const hook = dataUrl(`import { register } from 'node:module'; register(${JSON.stringify(dataUrl(missing))});`);
  const args = ['--import', hook, 'libs/rocketmq/bin/nestjs-rocketmq.js', 'broker', '--port', '0', '--data', folder];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect(stderr).toContain('[LMDB_MISSING]');
  expect(stderr).toContain('npm install lmdb@3');
  expect(status).toBe(1);
  expect(readdirSync(folder)).not.toContain('LOCK');
  rmSync(folder, { recursive: true });
});
