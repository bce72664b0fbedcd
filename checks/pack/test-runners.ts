// The matchers in the test runners that users have: each in a project with that runner only, types whole and a test run.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../tools/process/run-command.js';
import { npmInstall } from './npm-install.js';

const OWN_FILES = /^(?:\.\.\/)*node_modules\/nestjs-rocketmq\/|^matchers\./;
const SHARED = {
  ...Object.fromEntries(['common', 'core', 'microservices'].map((name) => [`@nestjs/${name}`, '^11.0.0'])),
  '@types/node': '^20.19.0',
  'reflect-metadata': '^0.2.0',
  rxjs: '^7.8.0',
  typescript: '~6.0.0',
};
const SWC = { '@swc/core': '^1.16.0', '@swc/jest': '^0.2.39' };

interface Runner {
  name: string;
  entry: string;
  imports: string;
  packages: Readonly<Record<string, string>>;
  command: string[];
}

const JEST = ['node_modules/jest/bin/jest.js', '--ci'];
const VITEST = ['node_modules/vitest/vitest.mjs', 'run'];
const OF_JEST = "import { expect, it } from '@jest/globals';";
const OF_VITEST = "import { expect, it } from 'vitest';";

const RUNNERS: readonly Runner[] = [
  ...['29', '30'].flatMap((major) => [
    {
      name: `jest-${major}`,
      entry: 'jest',
      imports: '',
      packages: { jest: `^${major}.0.0`, '@types/jest': `^${major}.0.0`, ...SWC },
      command: JEST,
    },
    {
      name: `jest-globals-${major}`,
      entry: 'jest-globals',
      imports: OF_JEST,
      packages: { jest: `^${major}.0.0`, '@jest/globals': `^${major}.0.0`, ...SWC },
      command: JEST,
    },
  ]),
  ...['3.2', '4.1'].map((version) => ({
    name: `vitest-${version}`,
    entry: 'vitest',
    imports: OF_VITEST,
    packages: { vitest: `~${version}.0` },
    command: VITEST,
  })),
];

export function runnerGroups(
  archive: string,
  folder: string,
): { name: string; prepare: () => Promise<{ name: string; run: () => Promise<void> }[]> }[] {
  return RUNNERS.map((runner) => ({
    name: `runner ${runner.name}`,
    prepare: async () => checksOf(runner, await install(runner, archive, folder)),
  }));
}

async function install({ name, entry, imports, packages }: Runner, archive: string, folder: string): Promise<string> {
  const home = join(folder, `runner-${name}`);
  await npmInstall(home, `runner-${name}`, { ...SHARED, ...packages, 'nestjs-rocketmq': `file:${archive}` });
  const body = readFileSync(join(import.meta.dirname, 'runners/matchers.ts.txt'), 'utf8');
  const entryImport = `import { useTestBroker } from 'nestjs-rocketmq/testing/${entry}';`;
  writeFileSync(join(home, 'matchers.test.ts'), `${imports}\n${entryImport}\n${body}`);
  const types = ['node', ...('@types/jest' in packages ? ['jest'] : [])];
  const compilerOptions = { module: 'nodenext', target: 'es2022', strict: true, noEmit: true, types };
  writeFileSync(join(home, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['matchers.test.ts'] }));
  const jsc = { target: 'es2022', parser: { syntax: 'typescript' } };
  const transform = { '^.+\\.ts$': ['@swc/jest', { swcrc: false, module: { type: 'commonjs' }, jsc }] };
  if ('jest' in packages) writeFileSync(join(home, 'jest.config.json'), JSON.stringify({ transform }));
  return home;
}

function checksOf({ name, command }: Runner, home: string) {
  return [
    {
      name: `runner ${name}: the types of the matchers are whole without skipLibCheck`,
      run: async () => {
        const args = ['node_modules/typescript/bin/tsc', '-p', '.', '--skipLibCheck', 'false', '--pretty', 'false'];
        const output = await run(process.execPath, args, { cwd: home }).catch((error: { output?: string }) => {
          if (error.output === undefined) throw error;
          return error.output;
        });
        const ours = output.split('\n').filter((line) => OWN_FILES.test(line) || /^error TS/.test(line));
        if (ours.length > 0) throw new Error(ours.join('\n'));
      },
    },
    {
      name: `runner ${name}: a test with matchers`,
      run: async () => void (await run(process.execPath, command, { cwd: home })),
    },
  ];
}
