// Detects the end of the process that started this one: a killed `npm start` must not leave its launcher behind.

import { spawnSync } from 'node:child_process';

const POLL_MS = 500;

/** @param {number} pid @returns {number | undefined} */
function parentOf(pid) {
  const { stdout } = spawnSync('ps', ['-o', 'ppid=', '-p', String(pid)], { encoding: 'utf8' });
  const parent = Number(stdout?.trim());
  return parent > 1 ? parent : undefined;
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}

/**
 * Resolves when npm, or the shell between, is gone. Never resolves when the process was not started by npm.
 * @returns {{ gone: Promise<void>, stop: () => void }}
 */
export function watchParents() {
  const isUnderNpm = process.env.npm_lifecycle_event !== undefined;
  const parents = isUnderNpm ? [process.ppid, parentOf(process.ppid)].filter((pid) => pid !== undefined) : [];
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const gone = new Promise((resolve) => {
    if (parents.length === 0) return;
    timer = setInterval(() => {
      if (!parents.every(isAlive)) resolve(undefined);
    }, POLL_MS);
  });
  return { gone, stop: () => clearInterval(timer) };
}
