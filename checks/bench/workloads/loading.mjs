// How long the library takes to load in a process that has loaded Nest.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { median } from '../lib/statistics.mjs';
import { report, taskOfProcess } from './measuring.mjs';

const { options, starts } = taskOfProcess();
/** @type {readonly string[]} */
const packages = options.packages ?? [];

/** @param {(name: string) => string} load the code that loads a package @param {readonly string[]} flags */
async function once(load, flags) {
  const before = packages.map((name) => `${load(name)};`).join('');
  const code = `${before}const began = performance.now();${load('nestjs-rocketmq')};console.log(performance.now() - began);`;
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, '-e', code], { cwd: import.meta.dirname });
  return Number(stdout);
}

/** @type {number[]} */
const requireMs = [];
/** @type {number[]} */
const importMs = [];
for (let index = 0; index < starts; index++) {
  requireMs.push(await once((name) => `require('${name}')`, ['--input-type=commonjs']));
  importMs.push(await once((name) => `await import('${name}')`, ['--input-type=module']));
}
report({ requireMs: median(requireMs), importMs: median(importMs) });
process.exit(0);
