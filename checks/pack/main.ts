// Packs the library and the console, installs them into projects as users have them, and runs what is to work there. See checks/pack.

import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from '../../scripts/build/build.js';
import { Checks } from '../../tools/checks.js';
import { run } from '../../tools/process/run-command.js';
import type { Counts, Tools } from '../check.js';
import { OptionError } from '../options.js';
import { archiveChecks } from './archive.js';
import { consoleArchiveChecks, consoleChecks, installConsole } from './console.js';
import { databaseGroups } from './databases.js';
import { PROJECTS } from './matrix.js';
import { installBare, peerChecks } from './peers.js';
import { installPlayground, playgroundChecks } from './playground.js';
import { install, stepsOf } from './project.js';
import { startRegistry } from './registry.js';
import { scaffoldGroups } from './scaffold.js';
import { schematicGroups } from './schematics.js';
import { specSteps } from './specs.js';
import { runnerGroups } from './test-runners.js';

const root = join(import.meta.dirname, '../..');

interface Step {
  readonly name: string;
  run(): unknown;
}

/** What comes one after the other. When `prepare` fails, that counts as one failure. */
interface Group {
  readonly name: string;
  prepare(): Promise<readonly Step[]>;
}

interface Packed {
  readonly archive: string;
  readonly unpacked: string;
}

interface PackValues {
  readonly only: readonly string[] | undefined;
  readonly keep: string | undefined;
}

export async function runPack({ only, keep }: PackValues, tools: Tools): Promise<Counts> {
  const folder = keep === undefined ? tools.folder : resolve(keep);
  mkdirSync(folder, { recursive: true });
  await build({ names: ['nestjs-rocketmq', 'nestjs-rocketmq-console'] });
  const packed = { library: await pack('rocketmq', folder), pages: await pack('console', folder) };
  const registry = await startRegistry([packed.library, packed.pages], folder);
  try {
    const groups = groupsOf(packed, registry.env, folder).filter(
      ({ name }) => only === undefined || only.some((one) => name.startsWith(one)),
    );
    if (groups.length === 0) throw new OptionError(`--only: no project or check begins with ${only?.join(', ')}`);
    return await runGroups(groups, tools.signal);
  } finally {
    registry.stop();
  }
}

/** @param env in which npm finds both by their names */
function groupsOf(
  { library, pages }: { readonly library: Packed; readonly pages: Packed },
  env: NodeJS.ProcessEnv,
  folder: string,
): readonly Group[] {
  const archives = { library: library.archive, console: pages.archive };
  return [
    {
      name: 'archive',
      prepare: async () => [
        ...archiveChecks('archive', { ...library, most: { files: 475, bytes: 3_230_000 }, root }),
        ...archiveChecks('archive of the console', { ...pages, most: { files: 230, bytes: 1_000_000 }, root }),
        ...consoleArchiveChecks(library.unpacked, pages.unpacked),
      ],
    },
    { name: 'bare', prepare: async () => peerChecks(await installBare(library.archive, folder)) },
    { name: 'console', prepare: async () => consoleChecks(await installConsole(archives, folder)) },
    { name: 'playground', prepare: async () => playgroundChecks(await installPlayground(env, folder)) },
    ...schematicGroups(env, folder),
    ...scaffoldGroups(env, folder),
    ...runnerGroups(library.archive, folder),
    ...databaseGroups(library.archive, folder, root),
    ...PROJECTS.map((project) => ({
      name: project.name,
      prepare: async () => {
        const home = await install(project, archives, folder);
        return [...stepsOf(project, home), ...specSteps(project, home, root)];
      },
    })),
  ];
}

/** @param name of its folder in libs */
async function pack(name: string, folder: string): Promise<Packed> {
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  const output = await run('npm', [...args, '--loglevel=silent'], { cwd: join(root, 'libs', name) });
  const packed = JSON.parse(output.trim());
  // npm 11 gives a list, later ones an object by package name.
  const [{ filename }] = Array.isArray(packed) ? packed : Object.values<{ filename: string }>(packed);
  const archive = join(folder, filename);
  const unpacked = join(folder, 'unpacked', name);
  rmSync(unpacked, { recursive: true, force: true });
  mkdirSync(unpacked, { recursive: true });
  await run('tar', ['-xzf', archive, '-C', unpacked], { cwd: folder });
  return { archive, unpacked: join(unpacked, 'package') };
}

async function runGroups(groups: readonly Group[], signal: AbortSignal): Promise<Counts> {
  const checks = new Checks();
  for (const { name, prepare } of groups) {
    signal.throwIfAborted();
    const steps = await checks.check(`${name}: installation`, prepare);
    for (const step of steps ?? []) {
      signal.throwIfAborted();
      await checks.check(step.name, step.run);
    }
  }
  return checks.counts;
}
