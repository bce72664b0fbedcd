// npm run build: builds what has changed since its last build, in the order of the dependencies.
// `npm run build -- nestjs-rocketmq` builds only that workspace and what it needs; `--force` builds whatever the state.

import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TYPESCRIPT_ARGS } from '../../tools/typescript/typescript-args.js';
import { bundle } from './bundle.js';
import { lock } from './file-lock.js';

const root = join(import.meta.dirname, '../..');
const tsc = ['node_modules/typescript-native/bin/tsc', '-p'];
const nest = ['node_modules/@nestjs/cli/bin/nest.js', 'build'];

interface Workspace {
  readonly name: string;
  readonly folder: string;
  /** Arguments of node, for what runs at once. */
  readonly commands: readonly (readonly string[])[];
  readonly needs: readonly string[];
  /** Finishes a build when its commands are done. */
  readonly after?: () => Promise<void>;
}

/** In order of their dependencies. */
const WORKSPACES: readonly Workspace[] = [
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
      [...TYPESCRIPT_ARGS, 'libs/console/build.ts'],
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
function finishConsole(): void {
  const dist = join(root, 'libs/console/dist');
  for (const format of ['esm', 'cjs'])
    for (const name of ['here.cjs', 'here.d.cts'])
      copyFileSync(join(root, 'libs/console/src/http', name), join(dist, format, 'http', name));
  writeFileSync(join(dist, 'cjs/package.json'), '{"type":"commonjs"}\n');
}

interface BuildOptions {
  /** The workspaces wanted; their needs come with them. Default: all. */
  readonly names?: readonly string[];
  readonly force?: boolean;
}

/** Builds what is out of date. Two at once take turns. */
export async function build({
  names = WORKSPACES.map(({ name }) => name),
  force = false,
}: BuildOptions = {}): Promise<void> {
  const unlock = await lock(join(root, 'node_modules', '.build-lock'));
  try {
    const rebuilt = new Set<string>();
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

async function buildOne(workspace: Workspace): Promise<void> {
  process.stdout.write(`building ${workspace.name}\n`);
  rmSync(join(root, workspace.folder, 'dist'), { recursive: true, force: true });
  const beganAt = new Date();
  await Promise.all(workspace.commands.map(run));
  await workspace.after?.();
  writeFileSync(stampOf(workspace), '');
  // A file that changed during the build is newer than what was built.
  utimesSync(stampOf(workspace), beganAt, beganAt);
}

function withNeeds(names: readonly string[]): readonly Workspace[] {
  const wanted = new Set(names);
  for (const { name, needs } of [...WORKSPACES].reverse())
    if (wanted.has(name)) for (const need of needs) wanted.add(need);
  return WORKSPACES.filter(({ name }) => wanted.has(name));
}

function stampOf({ folder }: Workspace): string {
  return join(root, folder, 'dist', '.built');
}

function isOutOfDate(workspace: Workspace): boolean {
  const stamp = stampOf(workspace);
  if (!existsSync(stamp)) return true;
  const builtAt = statSync(stamp).mtimeMs;
  const configs = readdirSync(join(root, workspace.folder)).filter((name) => name.endsWith('.json'));
  const files = [
    'tsconfig.base.json',
    'scripts/build/bundle.ts',
    'scripts/build/declarations.ts',
    ...configs.map((name) => join(workspace.folder, name)),
    ...['src', 'web'].flatMap((folder) => sourcesIn(join(root, workspace.folder, folder))),
  ];
  if (files.some((file) => statSync(join(root, file)).mtimeMs > builtAt)) return true;
  // What it needs may have been built by itself.
  return WORKSPACES.some((one) => workspace.needs.includes(one.name) && statSync(stampOf(one)).mtimeMs > builtAt);
}

function sourcesIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.spec.ts'))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
}

/** @param args of node */
function run(args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (code === 0) resolve();
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
