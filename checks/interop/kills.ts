// Brokers that are killed under the official clients' push consumers, while messages flow. The clients leave the leases to the server
// (auto_renew), so a message whose answer was lost with the process must come back by the server's doing alone.

import type { ChildProcess } from 'node:child_process';
import type { Writable } from 'node:stream';
import type { Backend } from './backends.js';

/** Until the consumers of all programs are at work, also on a small machine. */
const FLOW_MS = 60_000;

/**
 * Kills a broker as often as its backend wants, once each program has reported that messages flow.
 * @param programs by client
 * @throws Error when a program does not get that far
 */
export async function killUnder(
  backend: Backend,
  programs: ReadonlyMap<string, Program>,
  log: (line: string) => void,
): Promise<void> {
  try {
    await Promise.all([...programs.values()].map((program) => program.flows()));
    for (let kill = 1; kill <= backend.kills; kill++) {
      const beganAt = Date.now();
      await backend.killAndRevive([...programs.keys()]);
      log(`killed and started again (${kill} of ${backend.kills}): ${Math.round((Date.now() - beganAt) / 1000)} s`);
    }
  } finally {
    // They stop sending then, and wait for what is left.
    for (const program of programs.values()) program.endInput();
  }
}

/** The output and input of a program while it runs. */
export class Program {
  #output = '';
  #line;
  #hear: (isReached: boolean) => void = () => {};
  #stdin: Writable | null | undefined;
  /** Resolves to true once the program has reported the awaited line; to false if it has ended without. */
  reached = new Promise((resolve) => {
    this.#hear = resolve;
  }) as Promise<boolean>;

  /** @param what the awaited line of its transcript */
  constructor(what: string) {
    this.#line = `"what":"${what}"`;
  }

  attach(child: ChildProcess): void {
    this.#stdin = child.stdin;
    // A program that has died takes no input; its end says why.
    child.stdin?.on('error', () => {});
    const listen = (chunk: Buffer) => {
      this.#output += chunk;
      if (!this.#output.includes(this.#line)) return;
      child.stdout?.off('data', listen);
      this.#hear(true);
    };
    child.stdout?.on('data', listen);
  }

  /** It will report nothing more, also when it could not be started. */
  ended(): void {
    this.#hear(false);
  }

  /** Resolves when the program has reported it, or has ended: then its transcript shows what was wrong. */
  async flows(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((_, reject) => {
      timer = setTimeout(reject, FLOW_MS, new Error(`no message was consumed in ${FLOW_MS} ms, nothing was killed`));
    });
    await Promise.race([this.reached, late]).finally(() => clearTimeout(timer));
  }

  endInput(): void {
    this.#stdin?.end();
  }
}
