// Reintroduces each fault into a copy of the library, and checks that the simulation finds it.

import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SECOND_MS } from 'nestjs-rocketmq';
import type { Counts, Tools } from '../check.js';
import { MUTATIONS, type Mutation } from './mutations.js';

const ROOT = join(import.meta.dirname, '..', '..');
const COPIED = ['libs', 'tools', 'checks', 'package.json', 'tsconfig.json', 'tsconfig.base.json'];
/** Copies this repository and introduces the fault. */
function copyWith({ file, edits }: Mutation, home: string): string {
  const folder = mkdtempSync(join(home, 'mutation-'));
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
function simulate(folder: string, signal: AbortSignal, ...options: string[]): Promise<string> {
  const args = ['--no-warnings', '--import', './tools/typescript/run-typescript.mjs', 'checks/run.ts', 'simulation'];
  const child = spawn(process.execPath, [...args, '--brief', ...options], { cwd: folder });
  const stop = () => child.kill();
  signal.addEventListener('abort', stop, { once: true });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => (output += String(piece)));
  return new Promise((resolve) => {
    child.once('close', () => {
      signal.removeEventListener('abort', stop);
      resolve(output);
    });
  });
}

const VIOLATION = /VIOLATION of seed (\d+): (.*)/;

/** The first seed that fails with the fault and passes without it; undefined if the time is over before. */
async function search(
  folder: string,
  first: number,
  seconds: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const untilMs = Date.now() + seconds * SECOND_MS;
  for (let seed = first; Date.now() < untilMs; seed++) {
    const left = Math.ceil((untilMs - Date.now()) / SECOND_MS);
    const output = await simulate(folder, signal, '--seed', `${seed}`, '--seconds', `${left}`);
    signal.throwIfAborted();
    const violation = VIOLATION.exec(output);
    if (violation === null) {
      if (!/^\d+ passed, 0 failed$/m.test(output)) throw new Error(`the simulation did not run:\n${output}`);
      return undefined;
    }
    seed = Number(violation[1]);
    if (!VIOLATION.test(await simulate(ROOT, signal, '--seed', `${seed}`)))
      return `seed ${seed}, the ${seed - first + 1}. tried: ${violation[2]}`;
  }
  return undefined;
}

interface MutationValues {
  readonly seconds: number;
  readonly only: string | undefined;
  readonly seed: number;
}

/** @returns the faults that were found and missed */
export async function findMutations(
  { only = '', seconds, seed }: MutationValues,
  { folder: home, print, signal }: Tools,
): Promise<Counts> {
  const counts = { passed: 0, failed: 0 };
  for (const mutation of MUTATIONS) {
    if (!mutation.fault.includes(only)) continue;
    const folder = copyWith(mutation, home);
    const what = await search(folder, seed, seconds, signal);
    rmSync(folder, { recursive: true, force: true });
    counts[what === undefined ? 'failed' : 'passed']++;
    print(`${mutation.fault}\n    ${what ?? 'NOT FOUND'}`);
  }
  return counts;
}
