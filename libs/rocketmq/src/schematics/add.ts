// `nest add nestjs-rocketmq`: the module, a shutdown in order, and a topic with a route, a listener and a test to start from.

import { posix } from 'node:path';
import { changeModule, configuringFile, importOf, rootModuleFile } from './app-module.js';
import { withShutdownHooks } from './main-edit.js';
import { packageVersion } from './package-folder.js';
import {
  compilerOf,
  Formatter,
  type PackageJson,
  type ProjectTree,
  packageJsonOf,
  type Rule,
  type SchematicContext,
  SchematicError,
  textOf,
  writePackageJson,
} from './project.js';
import { createFrom, templateText } from './templates.js';

/** The options of `nest add nestjs-rocketmq`. */
export interface AddOptions {
  readonly sourceRoot?: string;
  /** The file of the module that imports `RocketMQModule`. Default: the module that `main.ts` starts. */
  readonly module?: string;
  readonly specFileSuffix?: string;
  readonly skipInstall?: boolean;
}

const SAMPLE = { name: 'reminder', className: 'Reminder' };
const COMPOSE_FILE = 'compose.rocketmq.yaml';
/** As in the guide to getting started. */
const MODULE = `RocketMQModule.forRoot({
  endpoints: process.env.ROCKETMQ_ENDPOINTS ?? 'embedded:',
})`;

/** Adds what is missing, and nothing twice. */
export function add({ sourceRoot = 'src', module, specFileSuffix = 'spec', skipInstall }: AddOptions): Rule {
  return async (tree, context) => {
    const root = process.cwd();
    const formatter = new Formatter(root);
    const hasNewPackages = addPackages(tree);
    const configured = configuringFile(tree, root, sourceRoot);
    const moduleFile = configured ?? rootModuleFile(tree, root, sourceRoot, module);
    const folder = posix.join(sourceRoot, SAMPLE.name);
    const importFrom = (file: string): string => importOf(tree, moduleFile, posix.join(folder, file));
    const from = importFrom('reminder.listener.ts');
    // A sample that was deleted is not wanted any more; one that was pasted by hand still needs its files.
    if (configured === undefined || textOf(tree, moduleFile).includes(from)) {
      await changeModule(tree, { root, formatter }, moduleFile, [
        { list: 'imports', element: MODULE, symbol: 'RocketMQModule', from: 'nestjs-rocketmq' },
        {
          list: 'controllers',
          element: 'ReminderController',
          symbol: 'ReminderController',
          from: importFrom('reminder.controller.ts'),
        },
        { list: 'providers', element: 'ReminderListener', symbol: 'ReminderListener', from },
      ]);
      const files = {
        'reminder.topic.ts': 'reminder.topic.ts',
        'reminder.controller.ts': 'reminder.controller.ts',
        'reminder.listener.ts': 'reminder.listener.ts',
        'moved-time.spec.ts': `reminder.listener.${specFileSuffix}.ts`,
      };
      for (const [template, file] of Object.entries(files))
        await createFrom(tree, formatter, { template, path: posix.join(folder, file), names: SAMPLE });
    }
    const endsInOrder = configured !== undefined || (await endInOrder(tree, formatter, sourceRoot));
    if (!tree.exists(COMPOSE_FILE))
      tree.create(COMPOSE_FILE, await formatter.formatted(COMPOSE_FILE, templateText(COMPOSE_FILE)));
    if (hasNewPackages && skipInstall !== true) install(context);
    if (!endsInOrder) context.logger.warn(HOOKS_MISSING);
    context.logger.info(
      configured === undefined ? NEXT : `${configured} configures RocketMQModule already: it is unchanged.`,
    );
  };
}

const HOOKS_MISSING =
  'Call app.enableShutdownHooks() where the application is created: without it, a signal ends the process while handlers run.';
const NEXT = `
Start the application, and send a reminder, which the log shows after ten seconds:
  curl -X POST http://localhost:3000/reminder/1
Its test moves the time: npm test. A real server: see ${COMPOSE_FILE}.
Another listener: npx nest g -c nestjs-rocketmq listener order-placed`;

/** @returns whether the application ends in order when it gets a signal, as far as that can be seen */
async function endInOrder(tree: ProjectTree, formatter: Formatter, sourceRoot: string): Promise<boolean> {
  const main = posix.join(sourceRoot, 'main.ts');
  if (!tree.exists(main)) return false;
  const before = textOf(tree, main);
  const after = withShutdownHooks(compilerOf(process.cwd()), before);
  if (after !== undefined) tree.overwrite(main, await formatter.formattedAs(main, before, after));
  return after !== undefined || before.includes('enableShutdownHooks');
}

/** Adds this package and the peer that applications of Nest do not have. @returns whether something is new */
function addPackages(tree: ProjectTree): boolean {
  const json = packageJsonOf(tree);
  const dependencies = { ...json.dependencies };
  const core = dependencies['@nestjs/core'] ?? json.devDependencies?.['@nestjs/core'];
  if (core === undefined)
    throw new SchematicError('package.json has no @nestjs/core: this is no application of Nest. Nothing was changed.');
  dependencies['@nestjs/microservices'] ??= rangeOf(tree, core);
  if (json.devDependencies?.['nestjs-rocketmq'] === undefined)
    dependencies['nestjs-rocketmq'] ??= `^${packageVersion()}`;
  if (Object.keys(dependencies).length === Object.keys(json.dependencies ?? {}).length) return false;
  const sorted = Object.fromEntries(Object.entries(dependencies).sort(([a], [b]) => (a < b ? -1 : 1)));
  writePackageJson(tree, { ...json, dependencies: sorted } satisfies PackageJson);
  return true;
}

/**
 * Nest's packages share the major version only: the latest minor version of one may not exist of another. Where the range is a catalog,
 * a folder or a tag, what is installed has it.
 */
function rangeOf(tree: ProjectTree, core: string): string {
  const installed = () =>
    (JSON.parse(textOf(tree, 'node_modules/@nestjs/core/package.json')) as { version: string }).version;
  const [, major] = /^[\^~]?(\d+)(?:\.[\w.+-]*)?$/.exec(core) ?? /^(\d+)/.exec(installed()) ?? [];
  return `^${major}.0.0`;
}

/** The task of `@angular-devkit/schematics`, which runs the package manager of the project when the files are written. */
function install(context: SchematicContext): void {
  context.addTask({ toConfiguration: () => ({ name: 'node-package', options: { command: 'install', quiet: true } }) });
}
