// Processes that end with their runner: by the kernel where it can (Linux), and by a sweep at the next start everywhere.

import { type ChildProcess as NodeProcess, spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

const NOTE = 'run.json';

/** A folder of a run's own under `root`, with a note of who runs it. Sweeps first. */
export function createRunFolder(root: string): string {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  // It is in a folder of all users, and holds what is executed and deleted.
  if (statSync(root).uid !== process.getuid?.()) throw new Error(`${root} belongs to another user`);
  sweep(root);
  const folder = mkdtempSync(join(root, 'run-'));
  noteRun(folder, []);
  return folder;
}

/**
 * Makes a folder that outlives its runs ready for one; ends what an earlier run left in it.
 * @throws Error when another run uses it
 */
export function claimRunFolder(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const note = readNote(folder);
  if (note !== undefined && isRunning(note))
    throw new Error(
      `${folder} is in use by process ${note.runner}; nothing was started; stop it, or choose another folder`,
    );
  for (const pid of note?.pids ?? []) endLeftOver(pid, folder);
  noteRun(folder, []);
}

/**
 * Writes down which processes a folder's run has, for the sweep of a later run.
 * @param pids each must name the folder on its command line
 */
export function noteRun(folder: string, pids: readonly number[]): void {
  writeFileSync(join(folder, NOTE), JSON.stringify({ runner: process.pid, command: commandLine(process.pid), pids }));
}

/** Gives a folder that is kept free for the next run. */
export function releaseRunFolder(folder: string): void {
  rmSync(join(folder, NOTE), { force: true });
}

/** @param root ends what runs left behind whose runner is gone, and removes their folders */
function sweep(root: string): void {
  for (const name of readdirSync(root)) {
    const folder = join(root, name);
    const note = readNote(folder);
    if (note === undefined || isRunning(note)) continue;
    for (const pid of note.pids) endLeftOver(pid, folder);
    rmSync(folder, { recursive: true, force: true });
  }
}

function isRunning(note: { runner: number; command: string }): boolean {
  return commandLine(note.runner) === note.command;
}

function readNote(folder: string): { runner: number; command: string; pids: number[] } | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, NOTE), 'utf8'));
  } catch {
    // No note yet: a run that is just starting.
    return undefined;
  }
}

function endLeftOver(pid: number, folder: string): void {
  // The pid may belong to another process by now; only a command line with the folder's name belongs to this run.
  if (!commandLine(pid).includes(folder)) return;
  process.kill(pid, 'SIGKILL');
}

/** @returns '' when there is no such process */
function commandLine(pid: number): string {
  const file = `/proc/${pid}/cmdline`;
  if (existsSync('/proc/self/cmdline')) return existsSync(file) ? readFileSync(file, 'utf8') : '';
  return spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).stdout?.trim() ?? '';
}

/** A process whose output goes to a file. */
export class ChildProcess {
  readonly logFile: string;

  #child: NodeProcess;
  #ended: Promise<void>;
  #end: string | undefined;
  /** Where its output begins in a file that an earlier process of the name has written to. */
  #logStart: number;

  /** @param name for messages */
  constructor(
    readonly name: string,
    command: string,
    args: readonly string[],
    { logFile, cwd, env }: { logFile: string; cwd: string; env: NodeJS.ProcessEnv },
  ) {
    this.logFile = logFile;
    const [program, ...rest] = canDieWithParent()
      ? ['setpriv', '--pdeathsig', 'KILL', command, ...args]
      : [command, ...args];
    const log = openSync(logFile, 'a');
    this.#logStart = fstatSync(log).size;
    // In a process group of its own: Ctrl-C reaches the runner alone, which then stops in its own order.
    this.#child = spawn(program, rest, { cwd, env, stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => this.#noteEnd(`could not start: ${error.message}`, resolve));
      this.#child.once('exit', (code, signal) => this.#noteEnd(`ended with ${signal ?? `exit code ${code}`}`, resolve));
    });
  }

  #noteEnd(how: string, resolve: () => void): void {
    this.#end ??= how;
    resolve();
  }

  /** @returns empty when it could not be started */
  get pids(): number[] {
    return this.#child.pid === undefined ? [] : [this.#child.pid];
  }

  /** How it ended, or undefined while it runs. */
  get end(): string | undefined {
    return this.#end;
  }

  /** Resolves when the process has ended, for whatever reason. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /** @returns the end of its output */
  tail(lines: number): string {
    return this.#output().trimEnd().split('\n').slice(-lines).join('\n');
  }

  /** @param text whether it has printed this */
  hasPrinted(text: string): boolean {
    return this.#output().includes(text);
  }

  #output(): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile).subarray(this.#logStart).toString('utf8') : '';
  }

  /** Sends it a signal that does not end it. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal);
  }

  /** Asks it to end, and ends it when it does not. Resolves when it is gone. @param options 0 does not ask */
  async stop({ shutdownGraceMs }: { shutdownGraceMs: number }): Promise<void> {
    if (this.#end !== undefined) return;
    if (shutdownGraceMs > 0) this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), shutdownGraceMs);
    await this.#ended;
    clearTimeout(timer);
  }
}

/** Whether the kernel can kill a process when its parent has ended: `setpriv --pdeathsig`. */
export function canDieWithParent(): boolean {
  return (
    process.platform === 'linux' &&
    spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true'], { stdio: 'ignore' }).status === 0
  );
}
