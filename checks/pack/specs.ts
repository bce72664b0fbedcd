// The library's own specs of what leans on Nest, run on another version of it.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { run } from '../../tools/process/run-command.js';
import type { Project } from './matrix.js';

const FOLDERS = ['libs/rocketmq/src/nest/', 'libs/rocketmq/src/terminus/', 'libs/rocketmq/src/testing/'];
/** Not on other versions, and why. */
const LEFT_OUT = [
  // Ends applications by a method of Nest 12; signals on real processes are in scenarios/shutdown.mjs.
  'nest/transport/shutdown\\.long\\.spec',
  // A minute of heap figures, about nothing that differs.
  'nest/request-scope-memory\\.long\\.spec',
];
/** What is taken from the project in place of the workspace. */
const TAKEN =
  '@nestjs/(?:common|core|microservices|testing|platform-express|platform-fastify|terminus)(?:/.*)?|reflect-metadata|rxjs(?:/.*)?';

/** @param root of the workspace */
export function specSteps(project: Project, home: string, root: string) {
  if (project.name === 'nest-12') return [];
  return [{ name: `${project.name}: the specs of nest/, terminus/ and testing/`, run: () => runSpecs(home, root) }];
}

async function runSpecs(home: string, root: string): Promise<void> {
  const config = join(home, 'specs.jest.mjs');
  const base = pathToFileURL(join(root, 'jest.config.mjs')).href;
  const mapping = { [`^(${TAKEN})$`]: `${home}/node_modules/$1` };
  writeFileSync(
    config,
    `import base from ${JSON.stringify(base)};
export default {
  ...base,
  rootDir: ${JSON.stringify(root)},
  moduleNameMapper: { ...${JSON.stringify(mapping)}, ...base.moduleNameMapper },
  testPathIgnorePatterns: ['/node_modules/', ...${JSON.stringify(LEFT_OUT)}],
};
`,
  );
  const jest = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js', '-c', config];
  await run(process.execPath, [...jest, ...FOLDERS], { cwd: root });
}
