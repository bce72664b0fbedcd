// Runs one client for one task in a process of its own and reads the line of figures that it prints.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Column } from '../columns.js';
import type { Measured } from './figures.js';
import { JAVA_OPTIONS } from './rivals.js';

const workloads = join(import.meta.dirname, '..', 'workloads');
const OUTPUT_TAIL = 2000;

/** Named values; a Java program gets `options` like the others. */
export interface ClientTask {
  readonly options?: object;
  readonly [name: string]: unknown;
}

interface RunOptions {
  readonly timeoutMs: number;
  /** Takes what the client writes there, its logs. */
  readonly home: string;
  readonly classPath?: string;
  readonly goProgram?: string;
  readonly nodeFlags?: readonly string[];
  readonly signal: AbortSignal;
}

/**
 * @param task what the process is to do
 * @throws Error with the end of its output when it does not print them in time
 */
export async function runClient(
  column: Column,
  task: ClientTask,
  { timeoutMs, home, classPath = '', goProgram = '', nodeFlags = [], signal }: RunOptions,
): Promise<Measured> {
  const compiled: Readonly<Record<string, [string, string[]]>> = {
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
  const late = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, timeoutMs);
  const ending = new Promise<{ code: number | null; killedBy: string | null }>((resolve, reject) => {
    child.once('error', reject).once('close', (code, killedBy) => resolve({ code, killedBy }));
  });
  const { code, killedBy } = await ending.finally(() => clearTimeout(late));
  const figures = lastLine(output);
  if (code === 0 && figures !== undefined) return figures;
  const ended = killedBy === null ? `ended with exit code ${code}` : `was killed by ${killedBy}`;
  const how = isLate ? `did not end within ${timeoutMs / 1000} s` : ended;
  throw new Error(`${column.label} ${how}: ${(errors || output.slice(-OUTPUT_TAIL)).trim() || 'it said nothing'}`);
}

function javaArguments({ options, ...task }: ClientTask, classPath: string, home: string): string[] {
  const named = Object.entries({ ...task, ...options }).map(([name, value]) => `${name}=${value}`);
  return [...JAVA_OPTIONS, `-Duser.home=${home}`, '-cp', classPath, 'bench.Bench', ...named];
}

function lastLine(output: string): Measured | undefined {
  const line = output.trimEnd().split('\n').at(-1) ?? '';
  return line.startsWith('{') ? JSON.parse(line) : undefined;
}
