// One app of the demo as a process, run from its sources, whose log is read line by line.

import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { TYPESCRIPT_ARGS } from '../../../tools/typescript/typescript-args.js';

const root = process.cwd();
/** The maximum output in the message of a failed test. */
const TAIL = 4_000;

export class DemoProcess {
  output = '';
  readonly url: Promise<string>;
  /** The exit code; undefined after a signal. */
  readonly ended: Promise<number | undefined>;
  private readonly child: ChildProcess;

  constructor(
    readonly name: 'order-demo' | 'inventory-demo',
    env: Readonly<Record<string, string>>,
  ) {
    const { PATH, HOME } = process.env;
    this.child = fork(join(root, 'apps', name, 'src/main.ts'), {
      cwd: root,
      env: { PATH, HOME, NODE_NO_WARNINGS: '1', NO_COLOR: '1', PORT: '0', ...env },
      execArgv: TYPESCRIPT_ARGS,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => {
        this.output += text;
      });
    }
    this.ended = new Promise((resolve) => this.child.once('close', (code) => resolve(code ?? undefined)));
    const failed = this.ended.then((code) => {
      throw new Error(`${name} ended with ${code}:\n${this.output.slice(-TAIL)}`);
    });
    const ready = new Promise<string>((resolve) =>
      this.child.once('message', ({ url }: { url: string }) => resolve(url)),
    );
    this.url = Promise.race([ready, failed]);
    // Callers that await it get the error; without callers the rejection must not be unhandled.
    this.url.catch(() => {});
    failed.catch(() => {});
  }

  /** Its log, with LOG_FORMAT=json. */
  get lines(): Record<string, unknown>[] {
    return this.output
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  }

  /** Stops it like a container, with SIGTERM. @returns the exit code */
  stop(): Promise<number | undefined> {
    this.child.kill('SIGTERM');
    return this.ended;
  }
}
