// One project: a folder with one installation, a subfolder for each module format, and the steps that are to pass there.

import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../tools/process/run-command.js';
import { COMMON_PACKAGES, NEST_PACKAGES, type Project } from './matrix.js';
import { npmInstall } from './npm-install.js';

const here = import.meta.dirname;
/** Our types, or the project's own sources: what other packages get wrong is theirs. */
const OWN_FILES = /^(?:\.\.\/)*node_modules\/nestjs-rocketmq(?:-console)?\/|^src\//;

/**
 * @param archives what was packed
 * @param folder of all projects
 * @returns the project's folder
 */
export async function install(
  project: Project,
  archives: { library: string; console: string },
  folder: string,
): Promise<string> {
  const home = join(folder, project.name);
  const nest = Object.fromEntries(NEST_PACKAGES.map((name) => [`@nestjs/${name}`, project.nest]));
  const dependencies = {
    ...COMMON_PACKAGES,
    ...nest,
    ...project.more,
    typescript: project.typescript,
    'nestjs-rocketmq': `file:${archives.library}`,
    'nestjs-rocketmq-console': `file:${archives.console}`,
  };
  await npmInstall(home, project.name, dependencies);
  for (const format of project.formats) writeVariant(project, join(home, format), format);
  return home;
}

/** @returns in this order, one after the other */
export function stepsOf(project: Project, home: string): { name: string; run: () => Promise<void> }[] {
  const ofFormats = project.formats.flatMap((format) => {
    const cwd = join(home, format);
    const name = `${project.name} ${format}`;
    const bin = (path: string) => join(home, 'node_modules', path);
    const jest = project.jest[format];
    const steps = [
      { name: `${name}: TypeScript ${project.typescript} compiles it`, run: () => compile(bin, cwd) },
      { name: `${name}: its types are whole without skipLibCheck`, run: () => checkTypes(bin, cwd) },
      { name: `${name}: the scenarios under node --test`, run: () => nodeTest(cwd) },
      { name: `${name}: one file by esbuild`, run: () => bundle(bin, cwd, format) },
      { name: `${name}: the command line describes it`, run: () => describeApp(bin, cwd) },
    ];
    if (jest !== undefined)
      steps.push({ name: `${name}: the scenarios under jest, ${jest}`, run: () => runJest(bin, cwd) });
    return steps;
  });
  const scenario = (file: string, what: string) => {
    const path = join(here, 'scenarios', file);
    return {
      name: `${project.name}: ${what}`,
      run: async () => void (await run(process.execPath, [path, home], { cwd: home })),
    };
  };
  const ofProcesses = [scenario('shutdown.mjs', 'SIGTERM under load')];
  if ('nestjs-pino' in project.more) ofProcesses.push(scenario('pino.mjs', 'nestjs-pino gets the fields of a line'));
  return [...ofFormats, ...ofProcesses];
}

type Format = 'esm' | 'cjs';

function writeVariant(project: Project, folder: string, format: Format): void {
  cpSync(join(here, 'app'), join(folder, 'src'), { recursive: true });
  cpSync(join(here, 'bundle'), join(folder, 'bundle'), { recursive: true });
  writeJson(join(folder, 'package.json'), { private: true, type: format === 'esm' ? 'module' : 'commonjs' });
  writeJson(join(folder, 'tsconfig.json'), tsconfigOf(project, format));
  const kind = project.jest[format];
  if (kind !== undefined)
    writeFileSync(join(folder, 'jest.config.cjs'), `module.exports = ${JSON.stringify(jestOf(kind))};\n`);
}

function tsconfigOf({ nest }: Project, format: Format) {
  // A CommonJS project that loads ESM packages by require() says so; an older one is as `nest new` made it.
  const isOlder = format === 'cjs' && nest !== '^12.0.0';
  const modules = isOlder
    ? { module: 'commonjs', moduleResolution: 'node' }
    : { module: 'nodenext', moduleResolution: 'nodenext' };
  const compilerOptions = {
    ...modules,
    target: 'es2022',
    strict: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    useDefineForClassFields: false,
    esModuleInterop: true,
    skipLibCheck: true,
    types: ['node'],
    rootDir: 'src',
    outDir: 'dist',
  };
  return { compilerOptions, include: ['src'] };
}

function jestOf(kind: 'ts-jest' | 'swc') {
  const shared = { testMatch: ['<rootDir>/src/*.jest.ts'], moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' } };
  if (kind === 'ts-jest') return { ...shared, preset: 'ts-jest', testEnvironment: 'node' };
  const jsc = {
    target: 'es2022',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
    keepClassNames: true,
  };
  const transform = { '^.+\\.ts$': ['@swc/jest', { swcrc: false, module: { type: 'es6' }, jsc }] };
  return { ...shared, extensionsToTreatAsEsm: ['.ts'], transform };
}

async function compile(bin: (path: string) => string, cwd: string): Promise<void> {
  await run(process.execPath, [bin('typescript/bin/tsc'), '-p', '.'], { cwd });
  if (!existsSync(join(cwd, 'dist', 'scenarios.js')))
    throw new Error(`it wrote ${readdirSync(join(cwd, 'dist')).join(', ')}`);
}

async function checkTypes(bin: (path: string) => string, cwd: string): Promise<void> {
  const args = [bin('typescript/bin/tsc'), '-p', '.', '--noEmit', '--skipLibCheck', 'false', '--pretty', 'false'];
  const output = await run(process.execPath, args, { cwd }).catch((error: { output?: string }) => {
    if (error.output === undefined) throw error;
    return error.output;
  });
  const errors = output.split('\n').filter((line) => /error TS\d+/.test(line));
  const unplaced = errors.filter((line) => !/^[^ ]+\(\d+,\d+\)/.test(line));
  const ours = errors.filter((line) => OWN_FILES.test(line));
  if (ours.length > 0 || unplaced.length > 0) throw new Error([...ours, ...unplaced].join('\n'));
}

async function nodeTest(cwd: string): Promise<void> {
  const output = await run(process.execPath, ['--test', '--test-reporter=tap', 'dist/scenarios.node.js'], { cwd });
  if (!/^# fail 0$/m.test(output) || /^# pass 0$/m.test(output)) throw new Error(output);
}

async function runJest(bin: (path: string) => string, cwd: string): Promise<void> {
  await run(process.execPath, ['--experimental-vm-modules', '--no-warnings', bin('jest/bin/jest.js'), '--ci'], { cwd });
}

async function bundle(bin: (path: string) => string, cwd: string, format: Format): Promise<void> {
  const file = join(cwd, 'bundled', format === 'esm' ? 'app.mjs' : 'app.cjs');
  // What Nest would load only if it were there.
  const absent = [
    '@nestjs/websockets',
    '@nestjs/websockets/socket-module',
    '@nestjs/microservices/microservices-module',
  ];
  const external = [
    'lmdb',
    'class-validator',
    'class-transformer',
    'cron-parser',
    '@grpc/grpc-js',
    '@grpc/proto-loader',
    'kafkajs',
    'mqtt',
    'nats',
    '@nats-io/transport-node',
    'ioredis',
  ];
  const options = [
    'bundle/main.ts',
    '--bundle',
    '--platform=node',
    '--target=node20',
    `--format=${format}`,
    `--outfile=${file}`,
    '--log-level=error',
    '--tsconfig-raw={"compilerOptions":{"experimentalDecorators":true}}',
    ...[...absent, ...external, 'amqplib', 'amqp-connection-manager', '@nestjs/platform-fastify'].map(
      (name) => `--external:${name}`,
    ),
  ];
  // CommonJS packages inside an ES module ask for their `require`.
  const banner =
    "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);";
  if (format === 'esm') options.push(`--banner:js=${banner}`);
  await run(bin('esbuild/bin/esbuild'), options, { cwd });
  const printed = await run(process.execPath, [file], { cwd });
  if (!printed.includes('hello Ada in 2026')) throw new Error(`it printed ${JSON.stringify(printed)}`);
}

async function describeApp(bin: (path: string) => string, cwd: string): Promise<void> {
  const words = ['asyncapi', 'document', 'dist/described.js', '--title', 'shop', '--version', '1.0.0'];
  const printed = await run(process.execPath, [bin('nestjs-rocketmq/bin/nestjs-rocketmq.js'), ...words], { cwd });
  const found = Object.keys(JSON.parse(printed).operations).join();
  if (found !== 'Billing.bill,send.order-paid') throw new Error(`it found ${found}`);
}

function writeJson(file: string, value: object): void {
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`);
}
