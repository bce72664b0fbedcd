// Commands that must succeed within a time.

import { spawn } from 'node:child_process';

const TIMEOUT_MS = 10 * 60_000;

/** A command that failed, with all that it printed. */
export class CommandFailure extends Error {
  constructor(
    message: string,
    readonly output: string,
  ) {
    super(`${message}:\n${output}`);
  }
}

/**
 * Runs a command; gives what it printed on both its outputs.
 * @throws CommandFailure
 */
export function run(
  command: string,
  args: readonly string[],
  { cwd, env = process.env }: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: TIMEOUT_MS });
    const chunks: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => chunks.push(chunk));
    child.once('error', reject);
    child.once('close', (code, signal) => {
      const output = Buffer.concat(chunks).toString();
      if (code === 0) resolve(output);
      else
        reject(new CommandFailure(`${command} ${args.join(' ')} ended with ${signal ?? `exit code ${code}`}`, output));
    });
  });
}
