// npm run build: builds what has changed since its last build, in the order of the dependencies.
// `node scripts/build.mjs --force nestjs-rocketmq` builds one workspace whatever its state.

import { spawn } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(import.meta.dirname, '..');
const tsc = ['node_modules/typescript/bin/tsc', '-p'];
const nest = ['node_modules/@nestjs/cli/bin/nest.js', 'build'];

/**
 * In order of their dependencies. `after` finishes a build when its commands are done.
 * @type {{ name: string, folder: string, commands: string[][], needs: string[], after?: () => void }[]}
 */
const WORKSPACES = [
  {
    name: 'nestjs-rocketmq',
    folder: 'libs/rocketmq',
    needs: [],
    commands: [
      [...tsc, 'libs/rocketmq/tsconfig.build.json'],
      [...tsc, 'libs/rocketmq/tsconfig.cjs.json'],
    ],
    after: () => writeFileSync(join(root, 'libs/rocketmq/dist/cjs/package.json'), '{"type":"commonjs"}\n'),
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
    needs: ['nestjs-rocketmq', 'demo-kit'],
    commands: [[...nest, name]],
  })),
];

/** Builds what is out of date. @param {{ force?: string }} [options] a workspace to build in any case */
export async function build({ force } = {}) {
  const rebuilt = new Set();
  for (const workspace of WORKSPACES) {
    const mustBuild =
      workspace.name === force || workspace.needs.some((name) => rebuilt.has(name)) || isOutOfDate(workspace);
    if (!mustBuild) continue;
    rebuilt.add(workspace.name);
    rmSync(join(root, workspace.folder, 'dist'), { recursive: true, force: true });
    process.stdout.write(`building ${workspace.name}\n`);
    await Promise.all(workspace.commands.map(run));
    workspace.after?.();
    writeFileSync(stampOf(workspace), '');
  }
}

/** @param {{ folder: string }} workspace */
function stampOf({ folder }) {
  return join(root, folder, 'dist', '.built');
}

function isOutOfDate(workspace) {
  const stamp = stampOf(workspace);
  if (!existsSync(stamp)) return true;
  const builtAt = statSync(stamp).mtimeMs;
  const configs = readdirSync(join(root, workspace.folder)).filter((name) => name.endsWith('.json'));
  const files = [
    'tsconfig.base.json',
    ...configs.map((name) => join(workspace.folder, name)),
    ...readdirSync(join(root, workspace.folder, 'src'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith('.spec.ts'))
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1)),
  ];
  return files.some((file) => statSync(join(root, file)).mtimeMs > builtAt);
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
  const [flag, name] = process.argv.slice(2);
  await build(flag === '--force' ? { force: name } : {}).catch((error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  });
}
