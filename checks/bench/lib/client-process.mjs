// Runs one client for one task in a process of its own and reads the line of figures that it prints.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { JAVA_OPTIONS } from './rivals.mjs';

const workloads = join(import.meta.dirname, '..', 'workloads');
const OUTPUT_TAIL = 2000;

/** @typedef {{ options?: object, [name: string]: unknown }} ClientTask named values; a Java program gets `options` like the others */

/**
 * @param {import('../columns.ts').Column} column
 * @param {ClientTask} task what the process is to do
 * @param {{ timeoutMs: number, home: string, classPath?: string, goProgram?: string, nodeFlags?: readonly string[], signal: AbortSignal }} options
 *   `home` takes what the client writes there, its logs
 * @returns {Promise<import('./figures.ts').Measured>}
 * @throws Error with the end of its output when it does not print them in time
 */
export async function runClient(
  column,
  task,
  { timeoutMs, home, classPath = '', goProgram = '', nodeFlags = [], signal },
) {
  /** @type {Record<string, [string, string[]]>} */
  const compiled = {
    java: ['java', javaArguments(task, classPath, home)],
    go: [goProgram, [JSON.stringify(task)]],
  };
  const [program, args] = compiled[column.program] ?? [
    process.execPath,
    [...nodeFlags, join(workloads, column.program), JSON.stringify(task)],
  ];
  const env = { ...process.env, HOME: home, NODE_ENV: 'production' };
  const child = spawn(program, args, {
    env,
    signal,
    cwd: home,
    // Its input is never written to: when it ends, the client knows that this process has ended.
    stdio: ['pipe', 'pipe', 'pipe'],
    killSignal: 'SIGKILL',
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    errors = (errors + chunk).slice(-OUTPUT_TAIL);
  });
  let isLate = false;
  const patience = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, timeoutMs);
  /** @type {Promise<{ code: number | null, killedBy: string | null }>} */
  const ending = new Promise((resolve, reject) => {
    child.once('error', reject).once('close', (code, killedBy) => resolve({ code, killedBy }));
  });
  const { code, killedBy } = await ending.finally(() => clearTimeout(patience));
  const figures = lastLine(output);
  if (code === 0 && figures !== undefined) return figures;
  const ended = killedBy === null ? `ended with exit code ${code}` : `was killed by ${killedBy}`;
  const how = isLate ? `did not end within ${timeoutMs / 1000} s` : ended;
  throw new Error(`${column.label} ${how}: ${(errors || output.slice(-OUTPUT_TAIL)).trim() || 'it said nothing'}`);
}

/** @param {ClientTask} task @param {string} classPath @param {string} home */
function javaArguments({ options, ...task }, classPath, home) {
  const named = Object.entries({ ...task, ...options }).map(([name, value]) => `${name}=${value}`);
  return [...JAVA_OPTIONS, `-Duser.home=${home}`, '-cp', classPath, 'bench.Bench', ...named];
}

/** @param {string} output */
function lastLine(output) {
  const line = output.trimEnd().split('\n').at(-1) ?? '';
  return line.startsWith('{') ? JSON.parse(line) : undefined;
}
