// npm run test:pack [-- --only NAME,...] [--keep FOLDER]
// Packs the library, installs it into projects as users have them, and runs what is to work there. See test/pack.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { archiveChecks } from '../../test/pack/archive.mjs';
import { PROJECTS } from '../../test/pack/matrix.mjs';
import { installBare, peerChecks } from '../../test/pack/peers.mjs';
import { install, stepsOf } from '../../test/pack/project.mjs';
import { specSteps } from '../../test/pack/specs.mjs';
import { build } from '../build/build.mjs';
import { parseRunnerArguments } from '../support/arguments.mjs';
import { Checks } from '../support/checks.mjs';
import { run } from '../support/run-command.mjs';

const root = join(import.meta.dirname, '../..');

/** @typedef {{ name: string, run: () => unknown }} Step */

/**
 * What comes one after the other; a group whose `prepare` fails counts as one failure.
 * @param {string} archive @param {string} unpacked @param {string} folder
 * @returns {{ name: string, prepare: () => Promise<Step[]> }[]}
 */
function groupsOf(archive, unpacked, folder) {
  return [
    { name: 'archive', prepare: async () => archiveChecks(archive, unpacked, root) },
    { name: 'bare', prepare: async () => peerChecks(await installBare(archive, folder)) },
    ...PROJECTS.map((project) => ({
      name: project.name,
      prepare: async () => {
        const home = await install(project, archive, folder);
        return [...stepsOf(project, home), ...specSteps(project, home, root)];
      },
    })),
  ];
}

async function main() {
  const { options, rest } = parseRunnerArguments(process.argv.slice(2), { only: '', keep: '' });
  if (rest.length > 0) throw new Error(`unknown: ${rest.join(' ')}`);
  const folder = options.keep === '' ? mkdtempSync(join(tmpdir(), 'nestjs-rocketmq-pack-')) : resolve(options.keep);
  try {
    mkdirSync(folder, { recursive: true });
    const { archive, unpacked } = await pack(folder);
    const wanted = options.only === '' ? [''] : options.only.split(',');
    const groups = groupsOf(archive, unpacked, folder).filter(({ name }) => wanted.some((one) => name.startsWith(one)));
    if (groups.length === 0) throw new Error(`no project or check begins with ${options.only}`);
    return await runGroups(groups);
  } finally {
    if (options.keep === '') rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {string} folder */
async function pack(folder) {
  await build({ names: ['nestjs-rocketmq'] });
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  const packed = JSON.parse(
    (await run('npm', [...args, '--loglevel=silent'], { cwd: join(root, 'libs/rocketmq') })).trim(),
  );
  // npm 11 gives a list, later ones an object by package name.
  const [{ filename }] = Array.isArray(packed) ? packed : Object.values(packed);
  const archive = join(folder, filename);
  await run('tar', ['-xzf', archive, '-C', folder], { cwd: folder });
  return { archive, unpacked: join(folder, 'package') };
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
