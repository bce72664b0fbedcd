// Commands that must succeed within a time.

import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const TIMEOUT_MS = 5 * 60_000;

/** A command that failed, with all that it printed. */
export class CommandFailure extends Error {
  /** @param {string} message @param {string} output */
  constructor(message, output) {
    super(`${message}\n${output}`);
    this.output = output;
  }
}

/**
 * Runs a command; gives what it printed on both its outputs.
 * @param {string} command @param {readonly string[]} args @param {{ cwd: string, env?: NodeJS.ProcessEnv }} options
 * @returns {Promise<string>}
 * @throws CommandFailure
 */
export function run(command, args, { cwd, env = process.env }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: TIMEOUT_MS });
    const chunks = [];
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

/**
 * A folder with these packages installed; one that was kept from an earlier run gets the present archive.
 * @param {string} home @param {string} name @param {Readonly<Record<string, string>>} dependencies
 */
export async function npmInstall(home, name, dependencies) {
  mkdirSync(home, { recursive: true });
  // To npm an archive of the same name and version is the same.
  for (const old of ['nestjs-rocketmq', '.package-lock.json']) {
    rmSync(join(home, 'node_modules', old), { recursive: true, force: true });
  }
  writeFileSync(join(home, 'package.json'), `${JSON.stringify({ name, private: true, dependencies }, undefined, 2)}\n`);
  await run('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'], { cwd: home });
}
