// Detects the end of the process that started this one: a killed `npm start` must not leave its launcher behind.

import { spawnSync } from 'node:child_process';

const POLL_MS = 500;

function parentOf(pid: number): number | undefined {
  const { stdout } = spawnSync('ps', ['-o', 'ppid=', '-p', String(pid)], { encoding: 'utf8' });
  const parent = Number(stdout?.trim());
  return parent > 1 ? parent : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Resolves when npm, or the shell between, is gone. Never resolves when the process was not started by npm. */
export function watchParents(): { gone: Promise<void>; stop: () => void } {
  const isUnderNpm = process.env.npm_lifecycle_event !== undefined;
  const parents = isUnderNpm ? [process.ppid, parentOf(process.ppid)].filter((pid) => pid !== undefined) : [];
  let timer: NodeJS.Timeout | undefined;
  const gone = new Promise<void>((resolve) => {
    if (parents.length === 0) return;
    timer = setInterval(() => {
      if (!parents.every(isAlive)) resolve();
    }, POLL_MS);
  });
  return { gone, stop: () => clearInterval(timer) };
}
