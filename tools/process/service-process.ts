// A Node process of a service that says on its IPC channel when it is ready, and ends with this one.

import { fork } from 'node:child_process';

/** Of what it prints so much is kept, so that one that runs for hours costs nothing: it is for the message when it fails. */
const MAX_OUTPUT = 64_000;

export class Service {
  /** The end of what it has printed. */
  output = '';
  #child;
  #ended: Promise<string>;
  #ready;

  constructor(
    readonly name: string,
    [file, ...args]: readonly [file: string, ...args: string[]],
    { cwd, env, execArgv = [] }: { cwd: string; env: NodeJS.ProcessEnv; execArgv?: readonly string[] },
  ) {
    this.#child = fork(file, args, { cwd, env, execArgv: [...execArgv], stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => {
        this.output = (this.output + text).slice(-MAX_OUTPUT);
      });
    }
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(error.message));
      // Not its exit: what it has said at last would be read after that.
      this.#child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
    this.#ready = new Promise((resolve) => this.#child.once('message', resolve));
  }

  /** Undefined when it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Resolves when it has ended, with its exit code or signal. */
  get ended(): Promise<string> {
    return this.#ended;
  }

  /** What it says when it is ready. @throws Error with its output when it ends before, or takes longer */
  // biome-ignore lint/suspicious/noExplicitAny: answers are read as they are
  async ready(timeoutMs: number): Promise<any> {
    const late = AbortSignal.timeout(timeoutMs);
    const gaveUp = new Promise((resolve) => late.addEventListener('abort', () => resolve('was not ready in time')));
    const failed = Promise.race([this.#ended, gaveUp]).then((how) => {
      throw new Error(`${this.name}: ${how}\n${this.output}`);
    });
    return Promise.race([this.#ready, failed]);
  }

  /**
   * Sends it a message.
   * @returns the next message from it
   * @throws Error when it ends before
   */
  // biome-ignore lint/suspicious/noExplicitAny: answers are read as they are
  async ask(message: string): Promise<any> {
    const answer = new Promise((resolve) => this.#child.once('message', resolve));
    const failed = this.#ended.then((how) => {
      throw new Error(`${this.name}: ${how}\n${this.output}`);
    });
    this.#child.send(message);
    return Promise.race([answer, failed]);
  }

  /** Asks it to end, by force when it does not. @returns how it ended */
  async stop(shutdownGraceMs: number): Promise<string> {
    this.#child.kill('SIGTERM');
    const force = setTimeout(() => this.#child.kill('SIGKILL'), shutdownGraceMs);
    const how = await this.#ended;
    clearTimeout(force);
    return how;
  }
}
