// Applications as the Nest CLI creates them, to which its `add` and `generate` add the library.

import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { accepts, takePortBlock } from '../../tools/ports.js';
import { CommandFailure, run } from '../../tools/process/run-command.js';
import { until } from '../../tools/until.js';
import { Command } from './command.js';

interface Scaffold {
  name: string;
  cli: string;
  lint: readonly string[];
}

/** The CLI of each version, and how its applications are linted without being changed. */
const SCAFFOLDS: readonly Scaffold[] = [
  { name: 'add-nest-11', cli: '@nestjs/cli@11', lint: ['eslint', '--max-warnings=1', 'src/**/*.ts'] },
  { name: 'add-nest-12', cli: '@nestjs/cli@12', lint: ['oxlint', '--type-aware', '--deny-warnings', 'src/', 'test/'] },
];

/** @param env in which npm finds the library */
export function schematicGroups(
  env: NodeJS.ProcessEnv,
  folder: string,
): { name: string; prepare: () => Promise<{ name: string; run: () => Promise<void> }[]> }[] {
  return SCAFFOLDS.map((scaffold) => ({
    name: scaffold.name,
    prepare: async () => stepsOf(scaffold, env, await install(scaffold, env, folder)),
  }));
}

async function install({ name, cli }: Scaffold, env: NodeJS.ProcessEnv, folder: string): Promise<string> {
  const home = join(folder, name);
  rmSync(home, { recursive: true, force: true });
  await run('npx', [cli, 'new', name, '--skip-git', '--package-manager', 'npm', '--strict'], { cwd: folder, env });
  return home;
}

function stepsOf(
  { name, lint }: Scaffold,
  env: NodeJS.ProcessEnv,
  home: string,
): { name: string; run: () => Promise<void> }[] {
  return [
    {
      name: `${name}: nest add, once and twice`,
      run: async () => {
        await run('npx', ['nest', 'add', 'nestjs-rocketmq'], { cwd: home, env });
        const once = filesIn(home);
        if (!once.has('src/reminder/reminder.listener.spec.ts')) throw new Error([...once.keys()].join(', '));
        await run('npx', ['nest', 'add', 'nestjs-rocketmq'], { cwd: home, env });
        unchanged(home, once);
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
      name: `${name}: the route sends what the listener handles`,
      run: () => sendsReminder(home),
    },
    {
      name: `${name}: a module that is not understood is not changed, and nothing is created`,
      run: async () => {
        const module = join(home, 'src/app.module.ts');
        writeFileSync(module, readFileSync(module, 'utf8').replace('providers: [', 'providers: all, exports: ['));
        const before = filesIn(home);
        const output = await nest(home, 'g', '-c', 'nestjs-rocketmq', 'listener', 'late').catch((error: unknown) =>
          error instanceof CommandFailure ? error.output : Promise.reject(error),
        );
        if (!output.includes('Cannot change src/app.module.ts: "providers" is not a list')) throw new Error(output);
        unchanged(home, before);
      },
    },
  ];
}

async function sendsReminder(home: string): Promise<void> {
  const block = await takePortBlock();
  const app = new Command(home, ['node', 'dist/main.js'], { PORT: String(block.first) });
  try {
    // It says that it has started before it listens.
    await app.printed(/(successfully started)/);
    await until(() => accepts(block.first));
    const answer = await fetch(`http://127.0.0.1:${block.first}/reminder/7`, { method: 'POST' });
    if (!answer.ok) throw new Error(await answer.text());
    await app.printed(/(Received \{"id":"7"\})/);
  } finally {
    await app.stop();
    await block.release();
  }
}

const nest = (home: string, ...args: readonly string[]) => run('npx', ['--no-install', 'nest', ...args], { cwd: home });

const npm = (home: string, ...args: readonly string[]) => run('npm', args, { cwd: home });

/** The text of each file of the project. */
function filesIn(home: string): Map<string, string> {
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

function unchanged(home: string, before: ReadonlyMap<string, string>): void {
  const after = filesIn(home);
  const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
    (path) => before.get(path) !== after.get(path),
  );
  if (changed.length > 0) throw new Error(`changed: ${changed.join(', ')}`);
}
