// The job of a process of these tests, and the point at which it is killed. The process is crash-program.ts.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabasePlace } from '../../../tools/servers/sql-databases.js';
import { TYPESCRIPT_ARGS } from '../../../tools/typescript/typescript-args.js';

/** `order`: places one order as a local transaction. `relay`: adds steps to the outbox and sends them. */
export interface CrashJob {
  readonly work: 'order' | 'relay';
  readonly endpoints: string;
  readonly place: DatabasePlace;
  /** The order, or a name for its message groups. */
  readonly subject: string;
  /** The point at which it is killed. */
  readonly point: string;
  /** A file that it writes at that point. */
  readonly marker: string;
}

export const ORDERS = 'orders';
export const STEPS = 'steps';
/** The messages that a relay adds, grouped by their letter. */
export const STEP_NAMES = ['a1', 'b1', 'a2', 'a3', 'b2'];
/** The points at which a relay is killed. */
export const FATAL_STEP = 'a2';

export function groupOf(subject: string, step: string): string {
  return `${subject}-${step.slice(0, 1)}`;
}

/** Runs a job in a separate process until it has killed itself. @throws Error if it ends in any other way */
export async function runUntilKilled(job: Omit<CrashJob, 'marker'>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'crash-'));
  const marker = join(folder, 'reached');
  try {
    const { end, errors } = await runProcess('crash-program.ts', { ...job, marker } satisfies CrashJob);
    const reached = existsSync(marker) ? readFileSync(marker, 'utf8') : 'nothing';
    if (end === 'SIGKILL' && reached === job.point) return;
    throw new Error(`the process ended with ${end} at ${reached}, not at ${job.point}:\n${errors}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs a program of this folder with a job until it ends. @returns its signal or its exit code, and what it wrote to stderr */
export async function runProcess(program: string, job: object): Promise<{ end: string; errors: string }> {
  const file = join(process.cwd(), 'test/sql/support', program);
  const args = [...TYPESCRIPT_ARGS, file, JSON.stringify(job)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const [code, signal] = await once(child, 'close');
  return { end: String(signal ?? code), errors };
}
