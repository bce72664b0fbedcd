// Processes that end with their runner: by the kernel where it can (Linux), and by a sweep at the next start everywhere.

import { spawn, spawnSync } from 'node:child_process';
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
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

const NOTE = 'run.json';

/**
 * A folder of a run's own under `root`, with a note of who runs it. Sweeps first.
 * @param {string} root
 */
export function createRunFolder(root) {
  mkdirSync(root, { recursive: true });
  sweep(root);
  const folder = mkdtempSync(join(root, 'run-'));
  noteRun(folder, []);
  return folder;
}

/**
 * Makes a folder that outlives its runs ready for one; ends what an earlier run left in it.
 * @param {string} folder
 * @throws Error when another run uses it
 */
export function claimRunFolder(folder) {
  mkdirSync(folder, { recursive: true });
  const note = readNote(folder);
  if (note !== undefined && isRunning(note)) throw new Error(`${folder} is in use by process ${note.runner}`);
  for (const pid of note?.pids ?? []) endLeftOver(pid, folder);
  noteRun(folder, []);
}

/**
 * Writes down which processes a folder's run has, for the sweep of a later run.
 * @param {string} folder
 * @param {readonly number[]} pids each must name the folder on its command line
 */
export function noteRun(folder, pids) {
  writeFileSync(join(folder, NOTE), JSON.stringify({ runner: process.pid, command: commandLine(process.pid), pids }));
}

/** Gives a folder that is kept free for the next run. @param {string} folder */
export function releaseRunFolder(folder) {
  rmSync(join(folder, NOTE), { force: true });
}

/** @param {string} root ends what runs left behind whose runner is gone, and removes their folders */
function sweep(root) {
  for (const name of readdirSync(root)) {
    const folder = join(root, name);
    const note = readNote(folder);
    if (note === undefined || isRunning(note)) continue;
    for (const pid of note.pids) endLeftOver(pid, folder);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {{ runner: number, command: string }} note */
function isRunning(note) {
  return commandLine(note.runner) === note.command;
}

/** @param {string} folder @returns {{ runner: number, command: string, pids: number[] } | undefined} */
function readNote(folder) {
  try {
    return JSON.parse(readFileSync(join(folder, NOTE), 'utf8'));
  } catch {
    // No note yet: a run that is just starting.
    return undefined;
  }
}

/** @param {number} pid @param {string} folder */
function endLeftOver(pid, folder) {
  // The pid may belong to another process by now; only a command line with the folder's name belongs to this run.
  if (!commandLine(pid).includes(folder)) return;
  process.kill(pid, 'SIGKILL');
}

/** @param {number} pid @returns {string} '' when there is no such process */
function commandLine(pid) {
  const file = `/proc/${pid}/cmdline`;
  if (existsSync('/proc/self/cmdline')) return existsSync(file) ? readFileSync(file, 'utf8') : '';
  return spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).stdout?.trim() ?? '';
}

/** A process whose output goes to a file. */
export class ChildProcess {
  /** @type {import('node:child_process').ChildProcess} */
  #child;
  /** @type {Promise<void>} */
  #ended;
  /** @type {string | undefined} */
  #end;
  /** Where its output begins in a file that an earlier process of the name has written to. @type {number} */
  #logStart;

  /**
   * @param {string} name for messages
   * @param {string} command @param {readonly string[]} args
   * @param {{ logFile: string, cwd: string, env: NodeJS.ProcessEnv }} options
   */
  constructor(name, command, args, { logFile, cwd, env }) {
    this.name = name;
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

  /** @param {string} how @param {() => void} resolve */
  #noteEnd(how, resolve) {
    this.#end ??= how;
    resolve();
  }

  /** @returns {number[]} empty when it could not be started */
  get pids() {
    return this.#child.pid === undefined ? [] : [this.#child.pid];
  }

  /** How it ended, or undefined while it runs. */
  get end() {
    return this.#end;
  }

  /** Resolves when the process has ended, for whatever reason. */
  get ended() {
    return this.#ended;
  }

  /** @param {number} lines @returns {string} the end of its output */
  tail(lines) {
    return this.#output().trimEnd().split('\n').slice(-lines).join('\n');
  }

  /** @param {string} text whether it has printed this */
  hasPrinted(text) {
    return this.#output().includes(text);
  }

  #output() {
    return existsSync(this.logFile) ? readFileSync(this.logFile).subarray(this.#logStart).toString('utf8') : '';
  }

  /** Sends it a signal that does not end it. @param {'SIGSTOP' | 'SIGCONT'} signal */
  signal(signal) {
    this.#child.kill(signal);
  }

  /**
   * Asks it to end, and ends it when it does not. Resolves when it is gone.
   * @param {{ shutdownGraceMs: number }} options 0 does not ask
   */
  async stop({ shutdownGraceMs }) {
    if (this.#end !== undefined) return;
    if (shutdownGraceMs > 0) this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), shutdownGraceMs);
    await this.#ended;
    clearTimeout(timer);
  }
}

/** Whether the kernel can kill a process when its parent has ended: `setpriv --pdeathsig`. */
export function canDieWithParent() {
  return (
    process.platform === 'linux' &&
    spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true'], { stdio: 'ignore' }).status === 0
  );
}
