// A folder with packages installed from the registry and from archives.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../tools/process/run-command.js';

const OPTIONS = ['--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];

/**
 * A folder with these packages installed; one that was kept from an earlier run gets the present archives.
 * @param more options of npm
 */
export async function npmInstall(
  home: string,
  name: string,
  dependencies: Readonly<Record<string, string>>,
  more: readonly string[] = [],
): Promise<void> {
  mkdirSync(home, { recursive: true });
  // To npm an archive of the same name and version is the same.
  for (const old of ['nestjs-rocketmq', 'nestjs-rocketmq-console', '.package-lock.json']) {
    rmSync(join(home, 'node_modules', old), { recursive: true, force: true });
  }
  writeFileSync(join(home, 'package.json'), `${JSON.stringify({ name, private: true, dependencies }, undefined, 2)}\n`);
  await run('npm', ['install', ...OPTIONS, ...more], { cwd: home });
}
