// Which process is meant by a number that the system gives to one after the other.

import { readFile } from 'node:fs/promises';

/** A process, told apart from a later one of the same number where the system shows when it started (Linux). */
export interface ProcessMark {
  readonly pid: number;
  /** '' where it cannot be known. */
  readonly startedAt: string;
}

export async function currentProcess(): Promise<ProcessMark> {
  const { pid } = process;
  return { pid, startedAt: (await startOf(pid)) ?? ownStart() };
}

/** Whether that process still runs. One that may not be looked at does. */
export async function isRunning({ pid, startedAt }: ProcessMark): Promise<boolean> {
  if (pid === 0 || !isTaken(pid)) return false;
  const start = (await startOf(pid)) ?? (pid === process.pid ? ownStart() : startedAt);
  return start === startedAt;
}

function isTaken(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Boot and clock ticks since then (field 22 of `proc_pid_stat(5)`); undefined where there is no such file. */
async function startOf(pid: number): Promise<string | undefined> {
  try {
    const [stat, boot] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    ]);
    // The second field is a name in brackets, with anything in it.
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return `${boot.trim()} ${ticks}`;
  } catch {
    return undefined;
  }
}

function ownStart(): string {
  return String(Math.round(performance.timeOrigin));
}
