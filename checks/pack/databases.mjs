// Two projects from the guide to databases alone: its code blocks and its commands, installed from the registry and the archive, on a real database.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { run } from '../../tools/process/run-command.mjs';
import { mySqlServer, postgresServer } from '../../tools/servers/database-at-port.ts';
import { hasMySql } from '../../tools/servers/mysql-server.ts';
import { postgresFolder } from '../../tools/servers/postgres-server.ts';
import { npmInstall } from './npm-install.mjs';

const EXAMPLES = 'docs/examples/databases/';
const PATIENCE_MS = 60_000;

/**
 * @typedef {object} DatabaseProject
 * @property {string} name also of its folder
 * @property {string} library its file in the guide, without `.ts`
 * @property {'module' | 'commonjs'} type
 * @property {Readonly<Record<string, string>>} packages beside the library
 * @property {() => boolean} isInstalled whether the server is on this machine
 * @property {() => Promise<import('../../tools/servers/database-at-port.ts').UrlServer>} serve
 * @property {(home: string, root: string) => Promise<void>} generate before it is compiled
 * @property {(home: string, url: string) => Promise<void>} migrate before it starts
 */

/** @param {string} nest @param {string} typescript */
const common = (nest, typescript) => ({
  '@nestjs/common': nest,
  '@nestjs/core': nest,
  'reflect-metadata': '^0.2.0',
  rxjs: '^7.8.0',
  typescript,
  '@types/node': '^20.19.0',
});

/** @type {readonly DatabaseProject[]} */
const DATABASE_PROJECTS = [
  {
    name: 'typeorm-mariadb',
    library: 'typeorm',
    type: 'commonjs',
    packages: { ...common('^11.0.0', '~5.9.0'), typeorm: '^1.1.0', mysql2: '^3.24.0' },
    isInstalled: () => hasMySql('MariaDB'),
    serve: () => mySqlServer('MariaDB'),
    generate: async () => {},
    migrate: (home, url) => shell(home, 'npx typeorm migration:run -d dist/typeorm.js', { DATABASE_URL: url }),
  },
  {
    name: 'prisma-postgresql',
    library: 'prisma',
    type: 'module',
    packages: {
      ...common('^12.0.0', '~6.0.0'),
      '@prisma/client': '^7.10.0',
      '@prisma/adapter-pg': '^7.10.0',
      prisma: '^7.10.0',
    },
    isInstalled: () => postgresFolder() !== undefined,
    serve: postgresServer,
    generate: async (home, root) => {
      const migrations = 'prisma/migrations/1_orders';
      cpSync(join(root, EXAMPLES, migrations), join(home, migrations), { recursive: true });
      await shell(home, commandIn(guide(root), 'prisma/migrations/2_rocketmq'));
      // The engine of Prisma Migrate comes from a server of its own, so its migrations run without it below.
      const env = { PRISMA_SCHEMA_ENGINE_BINARY: '/bin/true', DATABASE_URL: 'postgres://localhost/none' };
      await shell(home, 'npx prisma generate', env);
    },
    migrate: async (home, url) => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      for (const name of ['1_orders', '2_rocketmq'])
        await client.query(readFileSync(join(home, 'prisma/migrations', name, 'migration.sql'), 'utf8'));
      await client.end();
    },
  },
];

/**
 * @param {string} archive @param {string} folder @param {string} root of the workspace
 * @returns {{ name: string, prepare: () => Promise<{ name: string, run: () => Promise<void> }[]> }[]}
 */
export function databaseGroups(archive, folder, root) {
  return DATABASE_PROJECTS.filter(({ name, isInstalled }) => {
    if (!isInstalled()) process.stdout.write(`left out: ${name}, because its server is not installed\n`);
    return isInstalled();
  }).map((project) => ({
    name: project.name,
    prepare: async () => {
      const home = join(folder, project.name);
      await npmInstall(home, project.name, { ...project.packages, 'nestjs-rocketmq': `file:${archive}` }, SCRIPTLESS);
      return [
        { name: `${project.name}: the code of the guide compiles`, run: () => compile(project, home, root) },
        { name: `${project.name}: one order goes through`, run: () => order(project, home) },
      ];
    },
  }));
}

/** Prisma's packages would load engines. */
const SCRIPTLESS = ['--ignore-scripts'];

/** @param {DatabaseProject} project @param {string} home @param {string} root */
async function compile({ library, type, generate }, home, root) {
  const blocks = new Map(
    [...guide(root).matchAll(/<!-- code: (\S+) -->\n```\w+\n([\s\S]*?)```/g)].map(([, path = '', text = '']) => [
      path.replace(EXAMPLES, ''),
      text,
    ]),
  );
  /** @param {string} path @param {string} target @param {(text: string) => string} change */
  const copy = (path, target, change = (text) => text) => {
    const text = blocks.get(path);
    if (text === undefined) throw new Error(`the guide does not show ${path}`);
    mkdirSync(dirname(join(home, target)), { recursive: true });
    writeFileSync(join(home, target), change(text));
  };
  copy('messaging.ts', 'src/messaging.ts');
  copy('main.ts', 'src/main.ts', (text) => text.replace('./typeorm.js', `./${library}.js`));
  for (const path of blocks.keys()) {
    if ([`${library}.ts`, `migrations/${library}.ts`].includes(path)) copy(path, `src/${path}`);
    if (path.startsWith(`${library}/`)) copy(path, path.endsWith('.config.ts') ? path.slice(library.length + 1) : path);
  }
  writeJson(join(home, 'package.json'), { ...JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')), type });
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2022',
    strict: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    skipLibCheck: true,
    types: ['node'],
    rootDir: 'src',
    outDir: 'dist',
  };
  writeJson(join(home, 'tsconfig.json'), { compilerOptions, include: ['src'] });
  await generate(home, root);
  await shell(home, 'npx tsc -p .');
}

/** @param {DatabaseProject} project @param {string} home */
async function order({ serve, migrate }, home) {
  const server = await serve();
  try {
    const url = await server.createDatabase('shop');
    await migrate(home, url);
    const env = { ...process.env, DATABASE_URL: url, NO_COLOR: '1' };
    const child = spawn(process.execPath, ['dist/main.js'], { cwd: home, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = once(child, 'close');
    let output = '';
    const packed = new Promise((resolve) => {
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk) => {
          output += chunk;
          if (output.includes('[Notices] Order order-1 is packed: lamp')) resolve(true);
        });
    });
    const patience = new AbortController();
    const late = once(AbortSignal.any([patience.signal, AbortSignal.timeout(PATIENCE_MS)]), 'abort');
    await Promise.race([packed, ended, late]);
    patience.abort();
    child.kill('SIGTERM');
    const [code, signal] = await ended;
    if (!output.includes('is packed') || (code !== 0 && signal !== 'SIGTERM'))
      throw new Error(`it ended with ${signal ?? code}:\n${output}`);
  } finally {
    await server.stop();
  }
}

/** @param {string} root */
function guide(root) {
  return readFileSync(join(root, 'docs/guide/databases.md'), 'utf8');
}

/** The commands of the guide that name a text. @param {string} text @param {string} what */
function commandIn(text, what) {
  const found = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].find(([, commands = '']) => commands.includes(what));
  if (found?.[1] === undefined) throw new Error(`the guide has no command with ${what}`);
  return found[1];
}

/** @param {string} home @param {string} commands @param {Readonly<Record<string, string>>} env */
async function shell(home, commands, env = {}) {
  await run('/bin/sh', ['-ec', commands], { cwd: home, env: { ...process.env, ...env } });
}

/** @param {string} file @param {object} value */
function writeJson(file, value) {
  writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`);
}
