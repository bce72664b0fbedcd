// A project of `nest new` of Nest 12, an ES module that is tested by Vitest, with the code of the guides in it.

import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exampleText } from '../../scripts/docs/documents.mjs';
import { run } from '../../scripts/support/run-command.mjs';
import { npmInstallInto } from './npm-install.mjs';

/** The files of the examples, and what they are called there. As the guides say, tests of Jest import from 'vitest' instead. */
const PASTED = {
  'first-steps.ts': 'first-steps.ts',
  'first-steps.test.ts': 'first-steps.spec.ts',
  'reminder.ts': 'reminder.ts',
  'reminder.test.ts': 'reminder.spec.ts',
  'unpaid-order.ts': 'unpaid-order.ts',
  'unpaid-order.vitest.ts': 'unpaid-order.spec.ts',
};

/** @param {string} archive of the library @param {string} folder @param {string} root of the workspace @returns {Promise<string>} */
export async function installScaffold(archive, folder, root) {
  const home = join(folder, 'scaffold');
  rmSync(home, { recursive: true, force: true });
  const nest = join(root, 'node_modules/@nestjs/cli/bin/nest.js');
  const options = ['--skip-install', '--skip-git', '--no-observe', '--package-manager', 'npm'];
  await run(process.execPath, [nest, 'new', 'scaffold', ...options], { cwd: folder });
  const named = { '@nestjs/microservices': '^12.0.0', zod: '^4.6.0' };
  await npmInstallInto(home, { ...named, 'nestjs-rocketmq': `file:${archive}` });
  for (const [example, name] of Object.entries(PASTED)) {
    const text = exampleText(`docs/examples/${example}`).replace("from '@jest/globals'", "from 'vitest'");
    writeFileSync(join(home, 'src', name), text);
  }
  return home;
}

/** @param {string} home @returns {{ name: string, run: () => Promise<void> }[]} */
export function scaffoldChecks(home) {
  const npm = (/** @type {string[]} */ ...args) => run('npm', args, { cwd: home });
  return [
    { name: 'scaffold: its build compiles the code of the guides', run: async () => void (await npm('run', 'build')) },
    {
      name: 'scaffold: TypeScript checks its tests',
      run: async () => void (await npm('exec', '--no', '--', 'tsc', '--noEmit', '-p', 'tsconfig.json')),
    },
    {
      name: 'scaffold: its own test command runs them',
      run: async () => {
        const output = await run('npm', ['test'], { cwd: home, env: { ...process.env, NO_COLOR: '1' } });
        const files = Object.values(PASTED).filter((name) => name.endsWith('.spec.ts'));
        // And the test that the scaffold has.
        if (!new RegExp(`Test Files +${files.length + 1} passed`).test(output)) throw new Error(output);
      },
    },
  ];
}
