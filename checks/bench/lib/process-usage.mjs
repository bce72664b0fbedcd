// CPU and memory of processes, from /proc, so that one program can measure another. Linux. Plain JavaScript, for measured processes as well.

import { readdirSync, readFileSync } from 'node:fs';

/** `sysconf(_SC_CLK_TCK)`, which is 100 on every Linux that Node.js runs on. */
const TICKS_PER_SECOND = 100;
const MICROS_PER_TICK = 1_000_000 / TICKS_PER_SECOND;
/** Counted from the state of the process, which stands behind the name in brackets (proc(5)). */
const USER_TICKS = 11;
const SYSTEM_TICKS = 12;
/** Those of children that have ended. */
const ENDED_USER_TICKS = 13;
const ENDED_SYSTEM_TICKS = 14;
/** Behind the state. */
const PARENT = 1;

/** @typedef {{ cpuMicros: number, residentBytes: number }} Usage user and system time since the start; what is in memory now */

/** @param {readonly number[]} pids @returns {Usage} of all together */
export function usageOf(pids) {
  const all = pids.map((pid) => ({
    cpuMicros: cpuMicrosIn(read(pid, 'stat')),
    residentBytes: residentIn(read(pid, 'status')),
  }));
  const sum = (/** @type {(usage: Usage) => number} */ part) => all.reduce((total, one) => total + part(one), 0);
  return { cpuMicros: sum((one) => one.cpuMicros), residentBytes: sum((one) => one.residentBytes) };
}

/**
 * The CPU time of processes and of all that they have started, also of what has ended meanwhile.
 * @param {readonly number[]} roots @returns {number} in microseconds
 */
export function treeCpuMicros(roots) {
  const all = new Map(
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => {
        try {
          return [/** @type {const} */ ([Number(name), fieldsOf(read(Number(name), 'stat'))])];
        } catch {
          // It has ended meanwhile.
          return [];
        }
      }),
  );
  const isIn = (/** @type {number} */ pid) => {
    for (let one = pid; all.has(one); one = Number(all.get(one)?.[PARENT])) if (roots.includes(one)) return true;
    return false;
  };
  const ticks = [USER_TICKS, SYSTEM_TICKS, ENDED_USER_TICKS, ENDED_SYSTEM_TICKS];
  const micros = [...all].map(([pid, fields]) =>
    isIn(pid) ? ticks.reduce((sum, field) => sum + Number(fields[field]), 0) * MICROS_PER_TICK : 0,
  );
  return micros.reduce((sum, one) => sum + one, 0);
}

/** The CPU time of all processes of this machine. @param {string} [stat] of /proc/stat @returns {number} in microseconds */
export function machineCpuMicros(stat = readFileSync('/proc/stat', 'utf8')) {
  // The first line: user, nice, system, idle, waiting for a disk, interrupts of two kinds (proc(5)).
  const [, user, nice, system, , , hard, soft] = stat.trimStart().split(/\s+/);
  const ticks = [user, nice, system, hard, soft].reduce((sum, one) => sum + Number(one), 0);
  return ticks * MICROS_PER_TICK;
}

/** @param {string} stat of /proc/PID/stat */
export function cpuMicrosIn(stat) {
  const fields = fieldsOf(stat);
  return (Number(fields[USER_TICKS]) + Number(fields[SYSTEM_TICKS])) * MICROS_PER_TICK;
}

/** @param {string} stat */
function fieldsOf(stat) {
  // The name may hold blanks and brackets; the last bracket is its end.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** @param {string} status of /proc/PID/status */
export function residentIn(status) {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

/** @param {string} status of /proc/PID/status @returns {number} the most that was resident, in bytes */
export function peakIn(status) {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

/** @param {string} text @returns {number[]} the processes whose command lines hold it */
export function processesNaming(text) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return read(pid, 'cmdline').includes(text);
      } catch {
        // It has ended meanwhile.
        return false;
      }
    });
}

/** @param {number} pid @param {string} file */
function read(pid, file) {
  return readFileSync(`/proc/${pid}/${file}`, 'utf8');
}
