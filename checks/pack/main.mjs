// npm run test:pack [-- --only NAME,...] [--keep FOLDER]
// Packs the library and the console, installs them into projects as users have them, and runs what is to work there. See checks/pack.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from '../../scripts/build/build.mjs';
import { parseRunnerArguments } from '../../tools/arguments.mjs';
import { Checks } from '../../tools/checks.mjs';
import { run } from '../../tools/process/run-command.mjs';
import { archiveChecks } from './archive.mjs';
import { consoleArchiveChecks, consoleChecks, installConsole } from './console.mjs';
import { databaseGroups } from './databases.mjs';
import { PROJECTS } from './matrix.mjs';
import { installBare, peerChecks } from './peers.mjs';
import { installPlayground, playgroundChecks } from './playground.mjs';
import { install, stepsOf } from './project.mjs';
import { startRegistry } from './registry.mjs';
import { scaffoldGroups } from './scaffold.mjs';
import { schematicGroups } from './schematics.mjs';
import { specSteps } from './specs.mjs';
import { runnerGroups } from './test-runners.mjs';

const root = join(import.meta.dirname, '../..');

/** @typedef {{ name: string, run: () => unknown }} Step */

/**
 * What comes one after the other; a group whose `prepare` fails counts as one failure.
 * @param {{ library: Packed, pages: Packed }} packed @param {NodeJS.ProcessEnv} env in which npm finds both by their names
 * @param {string} folder
 * @returns {{ name: string, prepare: () => Promise<Step[]> }[]}
 */
function groupsOf({ library, pages }, env, folder) {
  const archives = { library: library.archive, console: pages.archive };
  return [
    {
      name: 'archive',
      prepare: async () => [
        ...archiveChecks('archive', { ...library, most: { files: 450, bytes: 2_700_000 }, root }),
        ...archiveChecks('archive of the console', { ...pages, most: { files: 200, bytes: 1_000_000 }, root }),
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

async function main() {
  const { options, rest } = parseRunnerArguments(process.argv.slice(2), { only: '', keep: '' });
  if (rest.length > 0) throw new Error(`unknown: ${rest.join(' ')}`);
  const folder = options.keep === '' ? mkdtempSync(join(tmpdir(), 'nestjs-rocketmq-pack-')) : resolve(options.keep);
  /** @type {Awaited<ReturnType<typeof startRegistry>> | undefined} */
  let registry;
  try {
    mkdirSync(folder, { recursive: true });
    await build({ names: ['nestjs-rocketmq', 'nestjs-rocketmq-console'] });
    const packed = { library: await pack('rocketmq', folder), pages: await pack('console', folder) };
    registry = await startRegistry([packed.library, packed.pages], folder);
    const wanted = options.only === '' ? [''] : options.only.split(',');
    const groups = groupsOf(packed, registry.env, folder).filter(({ name }) =>
      wanted.some((one) => name.startsWith(one)),
    );
    if (groups.length === 0) throw new Error(`no project or check begins with ${options.only}`);
    return await runGroups(groups);
  } finally {
    registry?.stop();
    if (options.keep === '') rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @typedef {{ archive: string, unpacked: string }} Packed
 * @param {string} name of its folder in libs @param {string} folder
 * @returns {Promise<Packed>}
 */
async function pack(name, folder) {
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  const output = await run('npm', [...args, '--loglevel=silent'], { cwd: join(root, 'libs', name) });
  const packed = JSON.parse(output.trim());
  // npm 11 gives a list, later ones an object by package name.
  const [{ filename }] = Array.isArray(packed) ? packed : Object.values(packed);
  const archive = join(folder, filename);
  const unpacked = join(folder, 'unpacked', name);
  rmSync(unpacked, { recursive: true, force: true });
  mkdirSync(unpacked, { recursive: true });
  await run('tar', ['-xzf', archive, '-C', unpacked], { cwd: folder });
  return { archive, unpacked: join(unpacked, 'package') };
}

/** @param {ReturnType<typeof groupsOf>} groups */
async function runGroups(groups) {
  const checks = new Checks();
  for (const { name, prepare } of groups) {
    const steps = await checks.check(`${name}: installation`, prepare);
    for (const step of steps ?? []) await checks.check(step.name, step.run);
  }
  return checks.report();
}

main().then(
  (failed) => {
    process.exitCode = failed === 0 ? 0 : 1;
  },
  (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exitCode = 1;
  },
);
