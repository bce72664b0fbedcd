// Processes that end, or are stopped, while they start.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { until } from '../../tools/until.js';
import { Program } from './program.js';

let folder: string;
let lost: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'program-'));
  lost = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A program that writes a line when it runs. */
function programOf(code: string): Program {
  const file = join(folder, 'program.cjs');
  writeFileSync(file, `console.log('runs'); ${code}`);
  const { PATH } = process.env;
  return new Program({
    name: 'program',
    args: [file],
    env: { PATH },
    logFolder: folder,
    onLost: (how) => lost.push(how),
  });
}

function runs(): number {
  const file = join(folder, 'program.log');
  return existsSync(file) ? readFileSync(file, 'utf8').split('runs\n').length - 1 : 0;
}

it.each(['kill', 'terminate'] as const)('a start is ended by %s and not retried', async (end) => {
  const program = programOf('setInterval(() => {}, 1_000_000);');
  const started = expect(program.start()).rejects.toThrow('program was ended before it was ready');
  await until(() => runs() === 1);
  await program[end]();
  await started;
  expect(runs()).toBe(1);
  expect(lost).toEqual([]);
});

it('restarts one that exits before it is ready', async () => {
  const marker = JSON.stringify(join(folder, 'was here'));
  const program = programOf(`
    const { existsSync, writeFileSync } = require('node:fs');
    if (!existsSync(${marker})) { writeFileSync(${marker}, ''); process.exit(1); }
    process.send('ready');
    setInterval(() => {}, 1_000_000);`);
  await program.start();
  await program.kill();
  expect(runs()).toBe(2);
  expect(lost).toEqual([]);
});

it('reports one that ends by itself', async () => {
  const marker = join(folder, 'end now');
  const program = programOf(`
    process.send('ready');
    setInterval(() => require('node:fs').existsSync(${JSON.stringify(marker)}) && process.exit(3), 10);`);
  await program.start();
  writeFileSync(marker, '');
  await until(() => lost.length > 0);
  expect(lost).toEqual(['exit code 3']);
});
