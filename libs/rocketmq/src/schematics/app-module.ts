// Finds the module of an application, and changes modules.

import { posix } from 'node:path';
import type typescript from 'typescript';
import { addToModule, type ModuleAddition, sourceFileOf } from './module-edit.js';
import { compilerOf, type Formatter, isEsm, type ProjectTree, SchematicError, sourceFiles, textOf } from './project.js';

type Compiler = typeof typescript;

/**
 * The file of the module that `main.ts` passes to `NestFactory`, by default `app.module.ts`.
 * @param given a file named by the user
 * @throws SchematicError when it is not found
 */
export function rootModuleFile(tree: ProjectTree, root: string, sourceRoot: string, given: string | undefined): string {
  const usual = posix.join(sourceRoot, 'app.module.ts');
  const main = posix.join(sourceRoot, 'main.ts');
  const started = tree.exists(main) ? startedModule(compilerOf(root), textOf(tree, main), main) : undefined;
  const candidates = given === undefined ? [started, usual] : [posix.normalize(given)];
  const found = candidates.find((file) => file !== undefined && tree.exists(file));
  if (found !== undefined) return found;
  const looked = candidates.filter((file) => file !== undefined).join(' or ');
  throw new SchematicError(
    `There is no module ${looked}. Nothing was changed. Name the file of the root module, such as --module src/app.module.ts`,
  );
}

/** The file that declares what is passed to `NestFactory.create()` and the like; undefined when that cannot be seen. */
function startedModule(ts: Compiler, text: string, main: string): string | undefined {
  const file = sourceFileOf(ts, text);
  let name: string | undefined;
  const look = (node: typescript.Node): void => {
    if (ts.isCallExpression(node) && /^NestFactory\.create/.test(node.expression.getText(file))) {
      const [argument] = node.arguments;
      if (argument !== undefined && ts.isIdentifier(argument)) name ??= argument.text;
    }
    ts.forEachChild(node, look);
  };
  look(file);
  for (const statement of file.statements) {
    if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier)) continue;
    const named = statement.importClause?.namedBindings;
    const isIt =
      named !== undefined && ts.isNamedImports(named) && named.elements.some((one) => one.name.text === name);
    const from = statement.moduleSpecifier.text;
    if (isIt && from.startsWith('.')) return `${posix.join(posix.dirname(main), from.replace(/\.js$/, ''))}.ts`;
  }
  return undefined;
}

/** The file that configures `RocketMQModule` already, in whatever way. Tests configure their own. */
export function configuringFile(tree: ProjectTree, root: string, sourceRoot: string): string | undefined {
  return sourceFiles(tree, sourceRoot).find((file) => {
    if (/[.-](spec|test)\.ts$/.test(file)) return false;
    const text = textOf(tree, file);
    return text.includes('RocketMQModule') && configuresModule(compilerOf(root), text);
  });
}

/** Whether there is `RocketMQModule.forRoot` or `forRootAsync` in the code, also by the name of a namespace. */
function configuresModule(ts: Compiler, text: string): boolean {
  const isModule = (node: typescript.Expression): boolean =>
    (ts.isIdentifier(node) && node.text === 'RocketMQModule') ||
    (ts.isPropertyAccessExpression(node) && node.name.text === 'RocketMQModule');
  const look = (node: typescript.Node): boolean =>
    (ts.isPropertyAccessExpression(node) && node.name.text.startsWith('forRoot') && isModule(node.expression)) ||
    ts.forEachChild(node, look) === true;
  return look(sourceFileOf(ts, text));
}

/** The module in a folder or the nearest one above it. */
export function nearestModule(tree: ProjectTree, folder: string): string | undefined {
  for (let here = folder; ; here = posix.dirname(here)) {
    const [found] = sourceFiles(tree, here)
      .filter((file) => posix.dirname(file) === posix.normalize(here) && file.endsWith('.module.ts'))
      .sort();
    if (found !== undefined) return found;
    if (here === '.' || here === '') return undefined;
  }
}

/** What one file imports another one from. */
export function importOf(tree: ProjectTree, fromFile: string, toFile: string): string {
  return relativeImport(fromFile, toFile) + (isEsm(tree) ? '.js' : '');
}

/** The same without the ending. */
export function relativeImport(fromFile: string, toFile: string): string {
  const path = posix.relative(posix.dirname(fromFile), toFile.replace(/\.ts$/, ''));
  return path.startsWith('.') ? path : `./${path}`;
}

/**
 * Adds to a module.
 * @throws SchematicError with what to paste, when the module is not understood
 */
export async function changeModule(
  tree: ProjectTree,
  { root, formatter }: { readonly root: string; readonly formatter: Formatter },
  file: string,
  additions: readonly ModuleAddition[],
): Promise<void> {
  const before = textOf(tree, file);
  let text = before;
  for (const addition of additions) {
    const edit = addToModule(compilerOf(root), text, addition);
    if (edit.kind === 'changed') text = edit.text;
    // What was pasted by hand is there, wherever it is.
    if (edit.kind === 'not-understood' && !(text.includes(addition.symbol) && text.includes(addition.from)))
      throw new SchematicError(advice(file, edit.problem, additions));
  }
  if (text !== before) tree.overwrite(file, await formatter.formattedAs(file, before, text));
}

function advice(file: string, problem: string, additions: readonly ModuleAddition[]): string {
  const imports = additions.map(({ symbol, from }) => `  import { ${symbol} } from '${from}';`);
  const lists = additions.map(({ list, element }) => `  ${list}: [${element.replaceAll('\n', '\n  ')}]`);
  return [
    `Cannot change ${file}: ${problem}. Nothing was changed. Add this to it, then repeat the command:`,
    ...imports,
    ...lists,
  ].join('\n');
}
