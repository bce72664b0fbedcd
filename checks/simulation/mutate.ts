// `npm run simulate:mutations`: reintroduces each fault into a copy of the library, and checks that the simulation finds it.

import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SECOND_MS } from 'nestjs-rocketmq';
import { MUTATIONS, type Mutation } from './mutations.js';

const ROOT = join(import.meta.dirname, '..', '..');
const COPIED = ['libs', 'tools', 'checks', 'package.json', 'tsconfig.json', 'tsconfig.base.json'];
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '120' },
    only: { type: 'string' },
    seed: { type: 'string', default: '1' },
  },
});

/** Copies this repository and introduces the fault. */
function copyWith({ file, edits }: Mutation): string {
  const folder = mkdtempSync(join(tmpdir(), 'nestjs-rocketmq-mutation-'));
  const isWanted = (path: string): boolean => !/\/(?:node_modules|dist)(?:\/|$)/.test(path);
  for (const name of COPIED) cpSync(join(ROOT, name), join(folder, name), { recursive: true, filter: isWanted });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const path = join(folder, 'libs', 'rocketmq', 'src', file);
  const source = Object.entries(edits).reduce(
    (text, [find, replace]) => {
      if (text.split(find).length !== 2) throw new Error(`${file} does not have this once any more: ${find}`);
      return text.replace(find, () => replace);
    },
    readFileSync(path, 'utf8'),
  );
  writeFileSync(path, source);
  return folder;
}

/** @returns its output */
function simulate(folder: string, ...options: string[]): Promise<string> {
  const args = ['--no-warnings', '--import', './tools/typescript/run-typescript.mjs', 'checks/simulation/main.ts'];
  const child = spawn(process.execPath, [...args, '--brief', ...options], { cwd: folder });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => (output += String(piece)));
  return new Promise((resolve) => child.once('close', () => resolve(output)));
}

const VIOLATION = /VIOLATION of seed (\d+): (.*)/;

/** The first seed that fails with the fault and passes without it; undefined if the time is over before. */
async function search(folder: string): Promise<string | undefined> {
  const first = Number(values.seed);
  const untilMs = Date.now() + Number(values.seconds) * SECOND_MS;
  for (let seed = first; Date.now() < untilMs; seed++) {
    const seconds = Math.ceil((untilMs - Date.now()) / SECOND_MS);
    const output = await simulate(folder, '--seed', `${seed}`, '--seconds', `${seconds}`);
    const violation = VIOLATION.exec(output);
    if (violation === null) {
      if (!/^\d+ passed, 0 failed$/m.test(output)) throw new Error(`the simulation did not run:\n${output}`);
      return undefined;
    }
    seed = Number(violation[1]);
    if (!VIOLATION.test(await simulate(ROOT, '--seed', `${seed}`)))
      return `seed ${seed}, the ${seed - first + 1}. tried: ${violation[2]}`;
  }
  return undefined;
}

let missed = 0;
let found = 0;
for (const mutation of MUTATIONS) {
  if (values.only !== undefined && !mutation.fault.includes(values.only)) continue;
  const folder = copyWith(mutation);
  const what = await search(folder);
  rmSync(folder, { recursive: true, force: true });
  if (what === undefined) missed++;
  else found++;
  process.stdout.write(`${mutation.fault}\n    ${what ?? 'NOT FOUND'}\n`);
}
process.stdout.write(`${found} passed, ${missed} failed\n`);
process.exitCode = missed === 0 ? 0 : 1;
