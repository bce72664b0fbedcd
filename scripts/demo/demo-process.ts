// One process of the demo: started until it says it is ready, started again when it crashes, ended with its launcher.

import { type ChildProcess, fork } from 'node:child_process';

/** Crashes further apart than this do not add up. */
const CRASH_WINDOW_MS = 60_000;
const RESTART_PAUSE_MS = 300;

interface DemoProcessOptions {
  args?: string[];
  /** Arguments of node; none of this process are handed on, so that a demo runs as its users run it. */
  execArgv?: string[];
  env?: NodeJS.ProcessEnv;
  /** In a minute. One crash more, or a start that fails, calls `onLost`. */
  restarts: number;
  onLost: (error: Error) => void;
}

export class DemoProcess {
  /** Resolves when it has said that it is ready for the first time. */
  readonly ready: Promise<void>;

  #child: ChildProcess | undefined;
  #ended = Promise.resolve();
  #stopping = false;
  /** When it crashed lately. */
  #crashes: number[] = [];
  #restart: NodeJS.Timeout | undefined;

  constructor(
    private readonly name: string,
    private readonly file: string,
    private readonly options: DemoProcessOptions,
  ) {
    this.ready = new Promise((resolve) => {
      this.#start(resolve);
    });
  }

  #start(onReady: () => void): void {
    const { args = [], execArgv = [], env, onLost } = this.options;
    // A group of its own: Ctrl-C reaches the launcher alone, which then stops in its own order. The IPC channel notifies the
    // child when the launcher is gone, however it went.
    const child = fork(this.file, args, {
      execArgv,
      env: { ...process.env, ...env },
      detached: true,
      stdio: 'inherit',
    });
    this.#child = child;
    let wasReady = false;
    let diesAsAsked = false;
    child.on('message', (message) => {
      const notice = message as { ready?: boolean; diesAsAsked?: boolean };
      // A visitor of the page wanted it: no crash to be counted.
      if (notice?.diesAsAsked === true) diesAsAsked = true;
      if (notice?.ready !== true) return;
      wasReady = true;
      onReady();
    });
    this.#ended = new Promise((resolve) => {
      child.once('error', (error) => {
        onLost(new Error(`${this.name} could not start: ${error.message}`));
        resolve();
      });
      child.once('exit', (code, signal) => {
        resolve();
        if (this.#stopping) return;
        if (diesAsAsked) this.#startAgain('as asked for', onReady);
        else this.#crashed(signal ?? `exit code ${code}`, wasReady, onReady);
      });
    });
  }

  #crashed(how: string, wasReady: boolean, onReady: () => void): void {
    const now = Date.now();
    this.#crashes = [...this.#crashes.filter((at) => now - at < CRASH_WINDOW_MS), now];
    const isKilled = how.startsWith('SIG');
    if (this.#crashes.length > this.options.restarts || (!wasReady && !isKilled)) {
      this.options.onLost(new Error(`${this.name} ended (${how}); stopping everything`));
      return;
    }
    this.#startAgain(how, onReady);
  }

  /** @param how it ended */
  #startAgain(how: string, onReady: () => void): void {
    process.stdout.write(`${this.name} ended (${how}); starting it again\n`);
    this.#restart = setTimeout(() => this.#start(onReady), RESTART_PAUSE_MS);
  }

  /** Asks it to end, and ends it by force after `timeoutMs`. */
  async stop(timeoutMs: number): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    const child = this.#child;
    if (child?.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
      await this.#ended;
      clearTimeout(force);
    }
  }
}
