// `nest g -c nestjs-rocketmq listener NAME`

import { posix } from 'node:path';
import { changeModule, importOf, nearestModule, relativeImport } from './app-module.js';
import { type Place, type PlaceOptions, placeOf } from './names.js';
import { assertTypeScript, Formatter, type ProjectTree, type Rule, SchematicError, sourceFiles } from './project.js';
import { createFrom, templateText } from './templates.js';

/** The options of `nest g -c nestjs-rocketmq listener`. */
export interface ListenerOptions extends PlaceOptions {
  readonly spec?: boolean;
  readonly specFileSuffix?: string;
  readonly skipImport?: boolean;
  readonly language?: string;
}

/** Creates a listener of the topic of the same name, and that topic if the project has none. Adds it to the nearest module. */
export function listener(options: ListenerOptions): Rule {
  return async (tree, context) => {
    assertTypeScript(options.language);
    const root = process.cwd();
    const formatter = new Formatter(root);
    const place = placeOf(options);
    const { name, className, folder } = place;
    if (importedNames().includes(className))
      throw new SchematicError(
        `"${name}" cannot be a listener: its file imports ${className} from a package. Nothing was changed. Choose another name, such as ${name}-event.`,
      );
    const path = posix.join(folder, `${name}.listener.ts`);
    const topicFile = topicFileOf(tree, options.sourceRoot ?? 'src', place);
    const names = { name, className, topicImport: relativeImport(path, topicFile) };
    if (!(await createFrom(tree, formatter, { template: 'reminder.listener.ts', path, names })))
      throw new SchematicError(`${path} exists already. Nothing was changed.`);
    await createFrom(tree, formatter, { template: 'reminder.topic.ts', path: topicFile, names }, (text) =>
      text.replace("'delay'", "'normal'"),
    );
    const { spec = true, specFileSuffix = 'spec' } = options;
    const specFile = posix.join(folder, `${name}.listener.${specFileSuffix}.ts`);
    if (spec) await createFrom(tree, formatter, { template: 'listener-alone.spec.ts', path: specFile, names });
    if (options.skipImport === true) return;
    const module = nearestModule(tree, folder);
    const symbol = `${className}Listener`;
    if (module === undefined) {
      context.logger.warn(`${folder} is in no module: add ${symbol} to the providers of one.`);
      return;
    }
    const from = importOf(tree, module, path);
    await changeModule(tree, { root, formatter }, module, [{ list: 'providers', element: symbol, symbol, from }]);
  };
}

/** What the file of a listener imports beside its topic, among other words. */
function importedNames(): readonly string[] {
  const text = templateText('reminder.listener.ts');
  return text.slice(0, text.indexOf('import { Reminder }')).split(/\W+/);
}

/** The file of the topic in this project, otherwise where it is created. @throws SchematicError when there are several */
function topicFileOf(tree: ProjectTree, sourceRoot: string, { name, folder }: Place): string {
  const beside = posix.join(folder, `${name}.topic.ts`);
  if (tree.exists(beside)) return beside;
  const found = sourceFiles(tree, sourceRoot).filter((file) => posix.basename(file) === `${name}.topic.ts`);
  if (found.length > 1)
    throw new SchematicError(`The topic ${name} is declared several times: ${found.join(', ')}. Nothing was changed.`);
  return found[0] ?? beside;
}
