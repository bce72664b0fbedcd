// One project: a folder with one installation, a subfolder for each module format, and the steps that are to pass there.

import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../tools/process/run-command.mjs';
import { COMMON_PACKAGES, NEST_PACKAGES } from './matrix.mjs';
import { npmInstall } from './npm-install.mjs';

const here = import.meta.dirname;
/** Our types, or the project's own sources: what other packages get wrong is theirs. */
const OWN_FILES = /^(?:\.\.\/)*node_modules\/nestjs-rocketmq(?:-console)?\/|^src\//;

/**
 * @param {import('./matrix.mjs').Project} project
 * @param {{ library: string, console: string }} archives what was packed
 * @param {string} folder of all projects
 * @returns {Promise<string>} the project's folder
 */
export async function install(project, archives, folder) {
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

/**
 * @param {import('./matrix.mjs').Project} project
 * @param {string} home
 * @returns {{ name: string, run: () => Promise<void> }[]} in this order, one after the other
 */
export function stepsOf(project, home) {
  const ofFormats = project.formats.flatMap((format) => {
    const cwd = join(home, format);
    const name = `${project.name} ${format}`;
    const bin = (/** @type {string} */ path) => join(home, 'node_modules', path);
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
  const scenario = (/** @type {string} */ file, /** @type {string} */ what) => {
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

/** @typedef {'esm' | 'cjs'} Format */

/** @param {import('./matrix.mjs').Project} project @param {string} folder @param {Format} format */
function writeVariant(project, folder, format) {
  cpSync(join(here, 'app'), join(folder, 'src'), { recursive: true });
  cpSync(join(here, 'bundle'), join(folder, 'bundle'), { recursive: true });
  writeJson(join(folder, 'package.json'), { private: true, type: format === 'esm' ? 'module' : 'commonjs' });
  writeJson(join(folder, 'tsconfig.json'), tsconfigOf(project, format));
  const kind = project.jest[format];
  if (kind !== undefined)
    writeFileSync(join(folder, 'jest.config.cjs'), `module.exports = ${JSON.stringify(jestOf(kind))};\n`);
}

/** @param {import('./matrix.mjs').Project} project @param {Format} format */
function tsconfigOf({ nest }, format) {
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

/** @param {'ts-jest' | 'swc'} kind */
function jestOf(kind) {
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

/** @param {(path: string) => string} bin @param {string} cwd */
async function compile(bin, cwd) {
  await run(process.execPath, [bin('typescript/bin/tsc'), '-p', '.'], { cwd });
  if (!existsSync(join(cwd, 'dist', 'scenarios.js')))
    throw new Error(`it wrote ${readdirSync(join(cwd, 'dist')).join(', ')}`);
}

/** @param {(path: string) => string} bin @param {string} cwd */
async function checkTypes(bin, cwd) {
  const args = [bin('typescript/bin/tsc'), '-p', '.', '--noEmit', '--skipLibCheck', 'false', '--pretty', 'false'];
  const output = await run(process.execPath, args, { cwd }).catch((/** @type {{ output?: string }} */ error) => {
    if (error.output === undefined) throw error;
    return error.output;
  });
  const errors = output.split('\n').filter((line) => /error TS\d+/.test(line));
  const unplaced = errors.filter((line) => !/^[^ ]+\(\d+,\d+\)/.test(line));
  const ours = errors.filter((line) => OWN_FILES.test(line));
  if (ours.length > 0 || unplaced.length > 0) throw new Error([...ours, ...unplaced].join('\n'));
}

/** @param {string} cwd */
async function nodeTest(cwd) {
  const output = await run(process.execPath, ['--test', '--test-reporter=tap', 'dist/scenarios.node.js'], { cwd });
  if (!/^# fail 0$/m.test(output) || /^# pass 0$/m.test(output)) throw new Error(output);
}

/** @param {(path: string) => string} bin @param {string} cwd */
async function runJest(bin, cwd) {
  await run(process.execPath, ['--experimental-vm-modules', '--no-warnings', bin('jest/bin/jest.js'), '--ci'], { cwd });
}

/** @param {(path: string) => string} bin @param {string} cwd @param {Format} format */
async function bundle(bin, cwd, format) {
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

/** @param {(path: string) => string} bin @param {string} cwd */
async function describeApp(bin, cwd) {
  const words = ['asyncapi', 'document', 'dist/described.js', '--title', 'shop', '--version', '1.0.0'];
  const printed = await run(process.execPath, [bin('nestjs-rocketmq/bin/nestjs-rocketmq.js'), ...words], { cwd });
  const found = Object.keys(JSON.parse(printed).operations).join();
  if (found !== 'Billing.bill,send.order-paid') throw new Error(`it found ${found}`);
}

/** @param {string} file @param {object} value */
function writeJson(file, value) {
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`);
}
