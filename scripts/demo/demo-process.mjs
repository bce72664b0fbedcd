// One process of the demo: started until it says it is ready, started again when it crashes, ended with its launcher.

import { fork } from 'node:child_process';

/** Crashes further apart than this do not add up. */
const CRASH_WINDOW_MS = 60_000;
const RESTART_PAUSE_MS = 300;

export class DemoProcess {
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #child;
  #ended = Promise.resolve();
  #stopping = false;
  /** @type {number[]} when it crashed lately */
  #crashes = [];
  /** @type {NodeJS.Timeout | undefined} */
  #restart;

  /**
   * @param {string} name
   * @param {string} file
   * @param {{ args?: string[], env?: NodeJS.ProcessEnv, restarts: number, onLost: (error: Error) => void }} options
   *   `restarts` in a minute; one crash more, or a start that fails, calls `onLost`
   */
  constructor(name, file, options) {
    this.name = name;
    this.file = file;
    this.options = options;
    /** Resolves when it has said that it is ready for the first time. */
    this.ready = new Promise((resolve) => {
      this.#start(resolve);
    });
  }

  /** @param {(value?: unknown) => void} onReady */
  #start(onReady) {
    const { args = [], env, onLost } = this.options;
    // A group of its own: Ctrl-C reaches the launcher alone, which then stops in its own order. The IPC channel notifies the
    // child when the launcher is gone, however it went.
    const child = fork(this.file, args, { env: { ...process.env, ...env }, detached: true, stdio: 'inherit' });
    this.#child = child;
    let wasReady = false;
    let diesAsAsked = false;
    child.on('message', (message) => {
      const notice = /** @type {{ ready?: boolean, diesAsAsked?: boolean }} */ (message);
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

  /** @param {string} how @param {boolean} wasReady @param {() => void} onReady */
  #crashed(how, wasReady, onReady) {
    const now = Date.now();
    this.#crashes = [...this.#crashes.filter((at) => now - at < CRASH_WINDOW_MS), now];
    const isKilled = how.startsWith('SIG');
    if (this.#crashes.length > this.options.restarts || (!wasReady && !isKilled)) {
      this.options.onLost(new Error(`${this.name} ended (${how}); stopping everything`));
      return;
    }
    this.#startAgain(how, onReady);
  }

  /** @param {string} how it ended @param {() => void} onReady */
  #startAgain(how, onReady) {
    process.stdout.write(`${this.name} ended (${how}); starting it again\n`);
    this.#restart = setTimeout(() => this.#start(onReady), RESTART_PAUSE_MS);
  }

  /** Asks it to end, and ends it by force after `timeoutMs`. @param {number} timeoutMs */
  async stop(timeoutMs) {
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
