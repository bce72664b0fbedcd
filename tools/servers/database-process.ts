// The process of a database server for one test: it runs without root, in a temporary folder, and ends with the process that started it.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';

const READY_MS = 60_000;
const POLL_MS = 25;

/** The user that a server runs as; undefined for the user of this process. */
export interface Ids {
  readonly uid: number;
  readonly gid: number;
}

/**
 * The servers do not run as root; in that case they run as one of these users.
 * @throws Error if there is none
 */
export function unprivilegedUser(...names: readonly string[]): Ids | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of names) {
    try {
      const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, name], { stdio: 'pipe' })));
      if (uid !== undefined && gid !== undefined) return { uid, gid };
    } catch {
      // The user does not exist.
    }
  }
  throw new Error(`the server does not run as root, and there is no user ${names.join(' or ')} to run it as`);
}

/** Runs the server under a shell that stops it when the shell's input ends, which happens however this process ends. */
export function keep(
  program: string,
  args: readonly string[],
  { cwd, user, signal }: { readonly cwd: string; readonly user: Ids | undefined; readonly signal: 'QUIT' | 'KILL' },
): ChildProcess {
  const script = `"$@" & pid=$!; read -r _; kill -${signal} $pid; wait $pid`;
  return spawn('/bin/sh', ['-c', script, 'sh', program, ...args], {
    ...user,
    cwd,
    stdio: ['pipe', 'ignore', 'ignore'],
    // A separate process group: Ctrl-C reaches only the caller, which stops the server when it is no longer needed.
    detached: true,
  });
}

/** Waits until the server is ready. @throws Error if it ends before, or takes too long; it is stopped then */
export async function ready(what: string, keeper: ChildProcess, isReady: () => Promise<boolean>): Promise<void> {
  const lastTryAtMs = Date.now() + READY_MS;
  while (!(await isReady())) {
    if (keeper.exitCode !== null) throw new Error(`${what} ended with code ${keeper.exitCode} before it was ready`);
    if (Date.now() > lastTryAtMs) {
      keeper.stdin?.end();
      throw new Error(`${what} was not ready in time`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Stops it. */
export function ended(keeper: ChildProcess): Promise<void> {
  return new Promise<void>((resolve) => {
    if (keeper.exitCode !== null || keeper.signalCode !== null) resolve();
    keeper.once('exit', () => resolve());
    keeper.stdin?.end();
  });
}
