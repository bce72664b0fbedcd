// Replays the COPY and RUN steps of a Dockerfile in folders, one for the root of each stage. No container: what a RUN step needs must
// be on this machine, and it runs as the one who calls.

import { existsSync, mkdirSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { run } from '../../../tools/process/run-command.js';
import type { Stage } from './dockerfile.js';

/** What a base image brings along; nothing else of this process's environment reaches a step. */
const INHERITED = ['PATH', 'LANG', 'npm_config_cache'];

/** The end of a stage. */
interface Built {
  root: string;
  workdir: string;
  env: Record<string, string>;
  user: string | undefined;
  command: string[] | undefined;
}

/**
 * @param where `folder` is empty; `home` is HOME
 * @returns the last stage
 */
export async function replay(
  stages: readonly Stage[],
  { context, folder, home, log }: { context: string; folder: string; home: string; log: (line: string) => void },
): Promise<Built> {
  const named = new Map<string, Built>();
  let built: Built | undefined;
  for (const [index, stage] of stages.entries()) {
    built = await buildStage(stage, { context, root: join(folder, String(index)), home, log, named });
    if (stage.name !== undefined) named.set(stage.name, built);
  }
  return built as Built;
}

async function buildStage(
  { instructions }: Stage,
  {
    context,
    root,
    home,
    log,
    named,
  }: { context: string; root: string; home: string; log: (line: string) => void; named: Map<string, Built> },
): Promise<Built> {
  mkdirSync(root, { recursive: true });
  const built: Built = { root, workdir: '/', env: {}, user: undefined, command: undefined };
  for (const instruction of instructions) {
    switch (instruction.kind) {
      case 'workdir':
        built.workdir = instruction.path;
        mkdirSync(join(root, instruction.path), { recursive: true });
        break;
      case 'copy': {
        const source = instruction.from === undefined ? context : (named.get(instruction.from) as Built).root;
        log(`COPY ${instruction.sources.join(' ')} ${instruction.target}`);
        await copy(source, instruction, built);
        break;
      }
      case 'run':
        log(`RUN ${instruction.command}`);
        await run('sh', ['-c', instruction.command], { cwd: inside(built, '.'), env: environmentOf(built, home) });
        break;
      case 'env':
        built.env[instruction.name] = instruction.value;
        break;
      case 'user':
        built.user = instruction.name;
        break;
      case 'cmd':
        built.command = instruction.args;
        break;
      case 'expose':
        break;
    }
  }
  return built;
}

/** The environment of a process of this stage. */
export function environmentOf({ env }: Built, home: string): Record<string, string> {
  const inherited = INHERITED.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value]];
  });
  return { ...Object.fromEntries(inherited), HOME: home, ...env };
}

/** Where a path of the stage is on this machine. */
export function inside({ root, workdir }: Built, path: string): string {
  return isAbsolute(path) ? join(root, path) : join(root, workdir, path);
}

/** As Docker does it: of a folder its content; of several, or before a slash, into the target. */
async function copy(
  sourceRoot: string,
  { sources, target }: { sources: readonly string[]; target: string },
  built: Built,
): Promise<void> {
  const isFolder = target.endsWith('/') || target === '.' || sources.length > 1;
  const to = inside(built, target);
  for (const source of sources) {
    const from = join(sourceRoot, source);
    if (!existsSync(from)) throw new Error(`COPY ${source}: there is no such thing, or .dockerignore leaves it out`);
    if (statSync(from).isDirectory()) {
      mkdirSync(to, { recursive: true });
      await run('cp', ['-a', `${from}/.`, to]);
    } else {
      const file = isFolder ? join(to, basename(source)) : to;
      mkdirSync(dirname(file), { recursive: true });
      await run('cp', ['-a', from, file]);
    }
  }
}
