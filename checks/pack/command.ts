// A command that runs until it is stopped.

import { spawn } from 'node:child_process';
import { once } from 'node:events';

const READY_MS = 60_000;

/** A command in a project, until it is stopped as by Ctrl-C. */
export class Command {
  #output = '';
  #child;
  #closed;

  /** @param words the command */
  constructor(home: string, [program = '', ...args]: readonly string[], env: NodeJS.ProcessEnv = {}) {
    // A group of its own, so that the signal reaches all that it starts, as from a terminal.
    this.#child = spawn(program, args, {
      cwd: home,
      env: { ...process.env, ...env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream.setEncoding('utf8').on('data', (text) => {
        this.#output += text;
      });
    this.#closed = once(this.#child, 'close');
  }

  /** The part of a line that it prints. */
  async printed(pattern: RegExp): Promise<string> {
    const late = AbortSignal.timeout(READY_MS);
    const ended = this.#closed.then(() => {
      throw new Error(`it ended:\n${this.#output}`);
    });
    // It also ends after it has printed.
    ended.catch(() => {});
    for (;;) {
      const found = pattern.exec(this.#output)?.[1];
      if (found !== undefined) return found;
      await Promise.race([once(this.#child.stdout, 'data', { signal: late }), ended]).catch((error) => {
        throw late.aborted ? new Error(`it has not printed ${pattern}:\n${this.#output}`) : error;
      });
    }
  }

  async stop(): Promise<void> {
    if (this.#child.pid === undefined || this.#child.exitCode !== null) return;
    process.kill(-this.#child.pid, 'SIGINT');
    await this.#closed;
  }
}
