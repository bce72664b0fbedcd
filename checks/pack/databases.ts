// Two projects from the guide to databases alone: its code blocks and its commands, installed from the registry and the archive, on a real database.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { run } from '../../tools/process/run-command.js';
import { postgresServer, type UrlServer } from '../../tools/servers/database-at-port.js';
import { postgresFolder } from '../../tools/servers/postgres-server.js';
import { npmInstall } from './npm-install.js';

const EXAMPLES = 'docs/examples/databases/';
const TIMEOUT_MS = 60_000;

interface DatabaseProject {
  /** Also of its folder. */
  name: string;
  /** Its file in the guide, without `.ts`. */
  library: string;
  type: 'module' | 'commonjs';
  /** Beside the library. */
  packages: Readonly<Record<string, string>>;
  /** Whether the server is on this machine. */
  isInstalled: () => boolean;
  serve: () => Promise<UrlServer>;
  /** Before it is compiled. */
  generate: (home: string, root: string) => Promise<void>;
  /** Before it starts. */
  migrate: (home: string, url: string) => Promise<void>;
}

const common = (nest: string, typescript: string) => ({
  '@nestjs/common': nest,
  '@nestjs/core': nest,
  'reflect-metadata': '^0.2.0',
  rxjs: '^7.8.0',
  typescript,
  '@types/node': '^20.19.0',
});

const DATABASE_PROJECTS: readonly DatabaseProject[] = [
  {
    name: 'typeorm-postgresql',
    library: 'typeorm',
    type: 'commonjs',
    packages: { ...common('^11.0.0', '~5.9.0'), '@nestjs/typeorm': '^11.0.3', typeorm: '^1.1.0', pg: '^8.0.0' },
    isInstalled: () => postgresFolder() !== undefined,
    serve: postgresServer,
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

/** @param root of the workspace */
export function databaseGroups(
  archive: string,
  folder: string,
  root: string,
): { name: string; prepare: () => Promise<{ name: string; run: () => Promise<void> }[]> }[] {
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

async function compile({ library, type, generate }: DatabaseProject, home: string, root: string): Promise<void> {
  const blocks = new Map(
    [...guide(root).matchAll(/<!-- code: (\S+) -->\n```\w+\n([\s\S]*?)```/g)].map(([, path = '', text = '']) => [
      path.replace(EXAMPLES, ''),
      text,
    ]),
  );
  const copy = (path: string, target: string, change: (text: string) => string = (text) => text) => {
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

async function order({ serve, migrate }: DatabaseProject, home: string): Promise<void> {
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
    const waiting = new AbortController();
    const late = once(AbortSignal.any([waiting.signal, AbortSignal.timeout(TIMEOUT_MS)]), 'abort');
    await Promise.race([packed, ended, late]);
    waiting.abort();
    child.kill('SIGTERM');
    const [code, signal] = await ended;
    if (!output.includes('is packed') || (code !== 0 && signal !== 'SIGTERM'))
      throw new Error(`it ended with ${signal ?? code}:\n${output}`);
  } finally {
    await server.stop();
  }
}

function guide(root: string): string {
  const pages = ['databases', 'database-examples'];
  return pages.map((page) => readFileSync(join(root, `docs/guide/${page}.md`), 'utf8')).join('\n');
}

/** The commands of the guide that name a text. */
function commandIn(text: string, what: string): string {
  const found = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].find(([, commands = '']) => commands.includes(what));
  if (found?.[1] === undefined) throw new Error(`the guide has no command with ${what}`);
  return found[1];
}

async function shell(home: string, commands: string, env: Readonly<Record<string, string>> = {}): Promise<void> {
  await run('/bin/sh', ['-ec', commands], { cwd: home, env: { ...process.env, ...env } });
}

function writeJson(file: string, value: object): void {
  writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`);
}
