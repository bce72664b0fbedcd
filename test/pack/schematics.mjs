// Applications as the Nest CLI creates them, to which its `add` and `generate` add the library.

import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandFailure, run } from '../../scripts/support/run-command.mjs';

/** @typedef {{ name: string, cli: string, lint: readonly string[] }} Scaffold */

/** The CLI of each version, and how its applications are linted without being changed. @type {readonly Scaffold[]} */
const SCAFFOLDS = [
  { name: 'add-nest-11', cli: '@nestjs/cli@11', lint: ['eslint', '--max-warnings=1', 'src/**/*.ts'] },
  { name: 'add-nest-12', cli: '@nestjs/cli@12', lint: ['oxlint', '--type-aware', '--deny-warnings', 'src/', 'test/'] },
];

/**
 * @param {{ library: string }} archives @param {string} folder
 * @returns {{ name: string, prepare: () => Promise<{ name: string, run: () => Promise<void> }[]> }[]}
 */
export function schematicGroups({ library }, folder) {
  return SCAFFOLDS.map((scaffold) => ({
    name: scaffold.name,
    prepare: async () => stepsOf(scaffold, await install(scaffold, library, folder)),
  }));
}

/** @param {Scaffold} scaffold @param {string} library @param {string} folder */
async function install({ name, cli }, library, folder) {
  const home = join(folder, name);
  rmSync(home, { recursive: true, force: true });
  const options = ['--skip-git', '--skip-install', '--package-manager', 'npm', '--strict'];
  await run('npx', ['--yes', cli, 'new', name, ...options], { cwd: folder });
  await npm(home, 'install', library);
  return home;
}

/** @param {Scaffold} scaffold @param {string} home @returns {{ name: string, run: () => Promise<void> }[]} */
function stepsOf({ name, lint }, home) {
  return [
    {
      name: `${name}: nest add, once and twice`,
      run: async () => {
        await nest(home, 'add', 'nestjs-rocketmq', '--skip-install');
        const once = filesIn(home);
        if (!once.has('src/reminder/reminder.listener.spec.ts')) throw new Error([...once.keys()].join(', '));
        await nest(home, 'add', 'nestjs-rocketmq', '--skip-install');
        unchanged(home, once);
        await npm(home, 'install');
      },
    },
    {
      name: `${name}: nest g of a topic and of listeners`,
      run: async () => {
        await nest(home, 'g', '-c', 'nestjs-rocketmq', 'topic', 'orders/orderPlaced', '--type', 'fifo');
        await nest(home, 'g', '-c', 'nestjs-rocketmq', 'listener', 'orders/order-placed');
        await nest(home, 'g', '-c', 'nestjs-rocketmq', 'listener', 'mail', 'post', '--flat', '--no-spec');
        const files = filesIn(home);
        const listed = [...files.keys()].filter((file) => /^src\/(orders|post)\//.test(file)).sort();
        const wanted = [
          'src/orders/order-placed/order-placed.listener.spec.ts',
          'src/orders/order-placed/order-placed.listener.ts',
          'src/orders/order-placed/order-placed.topic.ts',
          'src/post/mail.listener.ts',
          'src/post/mail.topic.ts',
        ];
        if (listed.join() !== wanted.join()) throw new Error(listed.join(', '));
      },
    },
    {
      name: `${name}: tests, build, linter and formatter pass`,
      run: async () => {
        await npm(home, 'test');
        await npm(home, 'run', 'test:e2e');
        await npm(home, 'run', 'build');
        await run('npx', ['--no-install', ...lint], { cwd: home });
        await run('npx', ['--no-install', 'prettier', '--check', 'src', 'compose.rocketmq.yaml'], { cwd: home });
      },
    },
    {
      name: `${name}: a module that is not understood is not changed, and nothing is created`,
      run: async () => {
        const module = join(home, 'src/app.module.ts');
        writeFileSync(module, readFileSync(module, 'utf8').replace('providers: [', 'providers: all, exports: ['));
        const before = filesIn(home);
        const output = await nest(home, 'g', '-c', 'nestjs-rocketmq', 'listener', 'late').catch(
          (/** @type {unknown} */ error) => (error instanceof CommandFailure ? error.output : Promise.reject(error)),
        );
        if (!output.includes('Cannot change src/app.module.ts: "providers" is not a list')) throw new Error(output);
        unchanged(home, before);
      },
    },
  ];
}

/** @param {string} home @param {readonly string[]} args */
const nest = (home, ...args) => run('npx', ['--no-install', 'nest', ...args], { cwd: home });

/** @param {string} home @param {readonly string[]} args */
const npm = (home, ...args) => run('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], { cwd: home });

/** The text of each file of the project. @param {string} home @returns {Map<string, string>} */
function filesIn(home) {
  const folders = readdirSync(home, { withFileTypes: true }).filter(
    (entry) => entry.isFile() || ['src', 'test'].includes(entry.name),
  );
  const paths = folders.flatMap((entry) =>
    entry.isFile()
      ? [entry.name]
      : readdirSync(join(home, entry.name), { recursive: true, withFileTypes: true })
          .filter((file) => file.isFile())
          .map((file) => join(file.parentPath, file.name).slice(home.length + 1)),
  );
  return new Map(paths.map((path) => [path, readFileSync(join(home, path), 'utf8')]));
}

/** @param {string} home @param {ReadonlyMap<string, string>} before */
function unchanged(home, before) {
  const after = filesIn(home);
  const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
    (path) => before.get(path) !== after.get(path),
  );
  if (changed.length > 0) throw new Error(`changed: ${changed.join(', ')}`);
}
