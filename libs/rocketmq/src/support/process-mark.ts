// Identifies a process beyond its id, which the operating system reuses.

import { readFile } from 'node:fs/promises';

/** A process, distinguished from a later one with the same id where the system shows when it started (Linux). */
export interface ProcessMark {
  readonly pid: number;
  /** '' where it is not available. */
  readonly startedAt: string;
}

export async function currentProcess(): Promise<ProcessMark> {
  const { pid } = process;
  return { pid, startedAt: (await startOf(pid)) ?? ownStart() };
}

/** Whether that process is still running. One that this process may not inspect counts as running. */
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

/** The boot id, and the clock ticks from boot to the start (field 22 of `proc_pid_stat(5)`); undefined where there is no such file. */
async function startOf(pid: number): Promise<string | undefined> {
  try {
    const [stat, boot] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    ]);
    // The second field is a name in parentheses, which can contain any characters.
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return `${boot.trim()} ${ticks}`;
  } catch {
    return undefined;
  }
}

function ownStart(): string {
  return String(Math.round(performance.timeOrigin));
}
