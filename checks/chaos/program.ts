// A process of the run, which can be started, killed, stopped, continued and restarted. Its output goes to a file.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { canDieWithParent } from '../../libs/rocketmq/src/cli/server/child-processes.js';

/** Includes the start of PGlite on a busy machine. A proxy may say for a minute after an outage that a group or topic does not exist. */
const START_MS = 150_000;
const RETRY_MS = 200;
/** The time limit of a graceful stop. */
const GRACE_MS = 8_000;

export interface ProgramOptions {
  readonly name: string;
  /** A file for Node, and its arguments. The process reports on its IPC channel when it is ready. */
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** The file for its output. */
  readonly logFolder: string;
  /** Called when it ends unexpectedly. */
  readonly onLost: (how: string) => void;
}

export class Program {
  readonly name: string;
  private child: ChildProcess | undefined;
  private ended: Promise<string> = Promise.resolve('');
  /** The child that should be running; the end of any other child is expected. */
  private wanted: ChildProcess | undefined;
  /** The number of kills and stops; each aborts a start in progress. */
  private endings = 0;

  constructor(private readonly options: ProgramOptions) {
    this.name = options.name;
  }

  /**
   * Resolves when it is ready. If it exits before, because the server is unavailable, it is started again.
   * @throws Error if it is not ready in time, or is killed or stopped meanwhile
   */
  async start(): Promise<void> {
    const lastTryAtMs = performance.now() + START_MS;
    const endings = this.endings;
    for (;;) {
      const how = await this.startOnce(lastTryAtMs - performance.now());
      if (how === 'ready') return;
      if (performance.now() > lastTryAtMs) throw new Error(`${this.name} did not start in time: ${how}`);
      if (this.endings === endings) await sleep(RETRY_MS);
      if (this.endings !== endings) throw new Error(`${this.name} was ended before it was ready`);
    }
  }

  /** Kills it, as if the machine were lost. */
  async kill(): Promise<void> {
    this.endings++;
    this.wanted = undefined;
    this.child?.kill('SIGKILL');
    await this.ended;
  }

  /** Stops it gracefully, or kills it when that takes too long. */
  async terminate(): Promise<void> {
    this.endings++;
    this.wanted = undefined;
    this.child?.kill('SIGTERM');
    const force = setTimeout(() => this.child?.kill('SIGKILL'), GRACE_MS);
    await this.ended;
    clearTimeout(force);
  }

  /** Pauses it until it is continued. */
  pause(): void {
    this.child?.kill('SIGSTOP');
  }

  continue(): void {
    this.child?.kill('SIGCONT');
  }

  private async startOnce(timeoutMs: number): Promise<string> {
    const { endings } = this;
    const child = this.spawn();
    this.child = child;
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
    const late = new AbortController();
    const outcome = await Promise.race([
      new Promise<string>((resolve) => child.once('message', () => resolve('ready'))),
      this.ended,
      sleep(timeoutMs, 'time over', { signal: late.signal }).catch(() => ''),
    ]);
    late.abort();
    if (outcome !== 'ready') {
      child.kill('SIGKILL');
      return outcome;
    }
    if (this.endings !== endings) return 'ended';
    this.wanted = child;
    void this.ended.then((how) => {
      if (this.wanted === child) this.options.onLost(how);
    });
    return outcome;
  }

  private spawn(): ChildProcess {
    const { name, args, env, logFolder } = this.options;
    const command = [process.execPath, ...args];
    // A stopped process cannot notice that its parent has ended, so the kernel kills it.
    const [program, ...rest] = canDieWithParent() ? ['setpriv', '--pdeathsig', 'KILL', ...command] : command;
    const log = openSync(join(logFolder, `${name}.log`), 'a');
    try {
      // In its own process group, so that Ctrl-C reaches only the run.
      return spawn(program as string, rest, { env, stdio: ['ignore', log, log, 'ipc'], detached: true });
    } finally {
      closeSync(log);
    }
  }
}
