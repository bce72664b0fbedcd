// Compose's own loader, by which compose.yaml is checked without a Docker daemon: a Go program, built once into the user's cache.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../../../tools/servers/rocketmq/jars.ts';

const VERSION = 'v2.9.1';
const PACKAGE = `github.com/compose-spec/compose-go/v2/cmd@${VERSION}`;

/**
 * The loader's program.
 * @param {(line: string) => void} log
 * @returns {string | undefined} undefined where it is not built yet and there is no Go
 * @throws Error when it cannot be built
 */
export function composeLoader(log) {
  const folder = join(cacheFolder(), `compose-loader-${VERSION}`);
  const program = join(folder, 'cmd');
  if (existsSync(program)) return program;
  if (spawnSync('go', ['version']).status !== 0) return undefined;
  mkdirSync(cacheFolder(), { recursive: true });
  const temporary = mkdtempSync(join(cacheFolder(), 'download-compose-'));
  try {
    log(`building the compose loader ${VERSION} once, into ${folder}`);
    const env = { ...process.env, GOBIN: temporary };
    const { status, stderr, error } = spawnSync('go', ['install', PACKAGE], { env, encoding: 'utf8' });
    if (status !== 0) throw new Error(`go install ${PACKAGE} failed:\n${error?.message ?? stderr}`);
    renameSync(temporary, folder);
  } catch (error) {
    // Another run was faster; its program is as good.
    if (!existsSync(program)) throw error;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return program;
}

/**
 * @param {import('./compose-model.js').ComposeModel} model @param {string} name
 * @throws Error when there is no such service
 */
export function serviceOf(model, name) {
  const service = model.services[name];
  if (service === undefined) throw new Error(`compose.yaml has no service ${name}`);
  return service;
}

/**
 * Loads a file as Compose does.
 * @param {string} program @param {string} file @param {NodeJS.ProcessEnv} [env] what its variables are taken from
 * @returns {import('./compose-model.js').ComposeModel}
 * @throws Error with what the loader says is wrong
 */
export function loadCompose(program, file, env = { PATH: process.env.PATH }) {
  const { status, stdout, stderr } = spawnSync(program, ['-format', 'json', file], { env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${stdout}${stderr}`.trim());
  return JSON.parse(stdout);
}
