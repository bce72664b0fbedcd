// npm run build: builds what has changed since its last build, in the order of the dependencies.
// `node scripts/build/build.mjs nestjs-rocketmq` builds only that workspace and what it needs; `--force` builds whatever the state.

import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.mjs';
import { lock } from './file-lock.mjs';

const root = join(import.meta.dirname, '../..');
const tsc = ['node_modules/typescript-native/bin/tsc', '-p'];
const nest = ['node_modules/@nestjs/cli/bin/nest.js', 'build'];

/**
 * `after` finishes a build when its commands are done.
 * @typedef {{ name: string, folder: string, commands: string[][], needs: string[], after?: () => Promise<void> }} Workspace
 */

/** In order of their dependencies. @type {Workspace[]} */
const WORKSPACES = [
  {
    name: 'nestjs-rocketmq',
    folder: 'libs/rocketmq',
    needs: [],
    commands: [[...tsc, 'libs/rocketmq/tsconfig.build.json']],
    after: () => bundle(join(root, 'libs/rocketmq')),
  },
  {
    name: 'nestjs-rocketmq-console',
    folder: 'libs/console',
    needs: ['nestjs-rocketmq'],
    commands: [
      [...tsc, 'libs/console/tsconfig.build.json'],
      [...tsc, 'libs/console/tsconfig.cjs.json'],
      ['libs/console/build.mjs'],
    ],
    after: async () => finishConsole(),
  },
  {
    name: 'demo-kit',
    folder: 'libs/demo-kit',
    needs: ['nestjs-rocketmq'],
    commands: [[...tsc, 'libs/demo-kit/tsconfig.build.json']],
  },
  ...['order-demo', 'inventory-demo'].map((name) => ({
    name,
    folder: `apps/${name}`,
    needs: ['nestjs-rocketmq', 'nestjs-rocketmq-console', 'demo-kit'],
    commands: [[...nest, name]],
  })),
];

/** What tsc leaves undone: `here` is not TypeScript, and the CommonJS build says what it is. */
function finishConsole() {
  const dist = join(root, 'libs/console/dist');
  for (const format of ['esm', 'cjs'])
    for (const name of ['here.cjs', 'here.d.cts'])
      copyFileSync(join(root, 'libs/console/src/http', name), join(dist, format, 'http', name));
  writeFileSync(join(dist, 'cjs/package.json'), '{"type":"commonjs"}\n');
}

/**
 * Builds what is out of date. Two at once take turns.
 * @param {{ names?: readonly string[], force?: boolean }} [options] the workspaces wanted, default all; their needs come with them
 */
export async function build({ names = WORKSPACES.map(({ name }) => name), force = false } = {}) {
  const unlock = await lock(join(root, 'node_modules', '.build-lock'));
  try {
    const rebuilt = new Set();
    for (const workspace of withNeeds(names)) {
      const isWanted = force && names.includes(workspace.name);
      if (!isWanted && !workspace.needs.some((name) => rebuilt.has(name)) && !isOutOfDate(workspace)) continue;
      rebuilt.add(workspace.name);
      await buildOne(workspace);
    }
  } finally {
    unlock();
  }
}

/** @param {Workspace} workspace */
async function buildOne(workspace) {
  process.stdout.write(`building ${workspace.name}\n`);
  rmSync(join(root, workspace.folder, 'dist'), { recursive: true, force: true });
  const beganAt = new Date();
  await Promise.all(workspace.commands.map(run));
  await workspace.after?.();
  writeFileSync(stampOf(workspace), '');
  // A file that changed during the build is newer than what was built.
  utimesSync(stampOf(workspace), beganAt, beganAt);
}

/** @param {readonly string[]} names */
function withNeeds(names) {
  const wanted = new Set(names);
  for (const { name, needs } of [...WORKSPACES].reverse())
    if (wanted.has(name)) for (const need of needs) wanted.add(need);
  return WORKSPACES.filter(({ name }) => wanted.has(name));
}

/** @param {Workspace} workspace */
function stampOf({ folder }) {
  return join(root, folder, 'dist', '.built');
}

/** @param {Workspace} workspace */
function isOutOfDate(workspace) {
  const stamp = stampOf(workspace);
  if (!existsSync(stamp)) return true;
  const builtAt = statSync(stamp).mtimeMs;
  const configs = readdirSync(join(root, workspace.folder)).filter((name) => name.endsWith('.json'));
  const files = [
    'tsconfig.base.json',
    'scripts/build/bundle.mjs',
    'scripts/build/declarations.mjs',
    ...configs.map((name) => join(workspace.folder, name)),
    ...['src', 'web'].flatMap((folder) => sourcesIn(join(root, workspace.folder, folder))),
  ];
  if (files.some((file) => statSync(join(root, file)).mtimeMs > builtAt)) return true;
  // What it needs may have been built by itself.
  return WORKSPACES.some((one) => workspace.needs.includes(one.name) && statSync(stampOf(one)).mtimeMs > builtAt);
}

/** @param {string} folder */
function sourcesIn(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.spec.ts'))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
}

/** @param {string[]} args of node */
function run(args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (code === 0) resolve(undefined);
      else reject(new Error(`${args.join(' ')} ended with ${signal ?? `exit code ${code}`}`));
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const args = process.argv.slice(2);
  const names = args.filter((arg) => arg !== '--force');
  const options = { force: args.includes('--force'), ...(names.length > 0 ? { names } : {}) };
  await build(options).catch((error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  });
}
