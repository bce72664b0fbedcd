// Compose's own loader, by which compose.yaml is checked without a Docker daemon: a Go program, built once into the user's cache.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../../../libs/rocketmq/src/cli/server/jars.js';
import type { ComposeModel } from './compose-model.js';

const VERSION = 'v2.9.1';
const PACKAGE = `github.com/compose-spec/compose-go/v2/cmd@${VERSION}`;

/**
 * The loader's program.
 * @returns undefined where it is not built yet and there is no Go
 * @throws Error when it cannot be built
 */
export function composeLoader(log: (line: string) => void): string | undefined {
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

/** @throws Error when there is no such service */
export function serviceOf(model: ComposeModel, name: string) {
  const service = model.services[name];
  if (service === undefined) throw new Error(`compose.yaml has no service ${name}`);
  return service;
}

/**
 * Loads a file as Compose does.
 * @param env what its variables are taken from
 * @throws Error with what the loader says is wrong
 */
export function loadCompose(
  program: string,
  file: string,
  env: NodeJS.ProcessEnv = { PATH: process.env.PATH },
): ComposeModel {
  const { status, stdout, stderr } = spawnSync(program, ['-format', 'json', file], { env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${stdout}${stderr}`.trim());
  return JSON.parse(stdout);
}
