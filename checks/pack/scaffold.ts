// Projects of `nest new` with the code of the guides in them, by the commands of the guides: Nest 11 as CommonJS with Jest, Nest 12 as ES module
// with Vitest.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exampleText } from '../../tools/documents.js';
import { run } from '../../tools/process/run-command.js';
import { Command } from './command.js';

/** The files of "Getting started", and what they are called in a project. */
const FIRST_STEPS = {
  'first-steps.ts': 'first-steps.ts',
  'first-steps.main.ts': 'main.ts',
  'first-steps.test.ts': 'first-steps.spec.ts',
  'reminder.ts': 'reminder.ts',
  'reminder.test.ts': 'reminder.spec.ts',
  'unpaid-order.ts': 'unpaid-order.ts',
};

/** `adapted` changes a test for its runner as "Getting started" says. */
interface Scaffold {
  name: string;
  cli: string;
  /** That answer what `nest new` asks. */
  options: readonly string[];
  files: Readonly<Record<string, string>>;
  adapted: (test: string) => string;
  /** What the runner prints. */
  passed: (tests: number) => RegExp;
}

const SCAFFOLDS: readonly Scaffold[] = [
  {
    name: 'scaffold-11',
    cli: '@nestjs/cli@11',
    options: [],
    files: { ...FIRST_STEPS, 'unpaid-order.test.ts': 'unpaid-order.spec.ts' },
    adapted: (test) => test.replace(/(from '\.\/.*)\.js'/g, "$1'"),
    passed: (tests) => new RegExp(`Test Suites: +${tests} passed, ${tests} total`),
  },
  {
    name: 'scaffold-12',
    cli: '@nestjs/cli@12',
    options: ['--no-observe'],
    files: { ...FIRST_STEPS, 'unpaid-order.vitest.ts': 'unpaid-order.spec.ts' },
    adapted: (test) => test.replace("from '@jest/globals'", "from 'vitest'"),
    passed: (tests) => new RegExp(`Test Files +${tests} passed`),
  },
];

/** @param env in which npm finds the library */
export function scaffoldGroups(
  env: NodeJS.ProcessEnv,
  folder: string,
): { name: string; prepare: () => Promise<{ name: string; run: () => Promise<void> }[]> }[] {
  return SCAFFOLDS.map((scaffold) => ({
    name: scaffold.name,
    prepare: async () => stepsOf(scaffold, await install(scaffold, env, join(folder, scaffold.name))),
  }));
}

async function install(
  { cli, options, files, adapted }: Scaffold,
  env: NodeJS.ProcessEnv,
  folder: string,
): Promise<string> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  await run('npx', [cli, 'new', 'shop', '--skip-git', '--package-manager', 'npm', ...options], { cwd: folder, env });
  const home = join(folder, 'shop');
  await run('npm', ['install', 'nestjs-rocketmq', 'zod'], { cwd: home, env });
  for (const [example, name] of Object.entries(files)) {
    const text = exampleText(`docs/examples/${example}`);
    writeFileSync(join(home, 'src', name), name.endsWith('.spec.ts') ? adapted(text) : text);
  }
  return home;
}

function stepsOf({ name, files, passed }: Scaffold, home: string): { name: string; run: () => Promise<void> }[] {
  const npm = (...args: string[]) => run('npm', args, { cwd: home });
  return [
    { name: `${name}: npm start sends the first message`, run: () => start(home) },
    {
      name: `${name}: npm test runs the tests of the guides`,
      run: async () => {
        const output = await run('npm', ['test'], { cwd: home, env: { ...process.env, NO_COLOR: '1' } });
        const tests = Object.values(files).filter((file) => file.endsWith('.spec.ts'));
        // And the test that the scaffold has.
        if (!passed(tests.length + 1).test(output)) throw new Error(output);
      },
    },
    { name: `${name}: its build compiles the code of the guides`, run: async () => void (await npm('run', 'build')) },
    {
      name: `${name}: TypeScript checks its tests`,
      run: async () => void (await npm('exec', '--no', '--', 'tsc', '--noEmit', '-p', 'tsconfig.json')),
    },
    // Last, because it also formats.
    { name: `${name}: its linter passes`, run: async () => void (await npm('run', 'lint')) },
  ];
}

async function start(home: string): Promise<void> {
  // Another program may have port 3000.
  const shop = new Command(home, ['env', 'PORT=0', 'npm', 'start']);
  try {
    await shop.printed(/(Packed 2 for order-1)/);
  } finally {
    await shop.stop();
  }
}
