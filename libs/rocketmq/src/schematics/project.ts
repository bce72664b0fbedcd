// The project that a schematic changes. The schematics use nothing but what the Nest CLI passes to them and what the project has installed:
// see docs/decisions/0021-schematics-without-packages.md.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import type typescript from 'typescript';

/** What the schematics use of the `Tree` of `@angular-devkit/schematics`. Nothing is written when a schematic throws. */
export interface ProjectTree {
  exists(path: string): boolean;
  read(path: string): { toString(): string } | null;
  create(path: string, content: string): void;
  overwrite(path: string, content: string): void;
  getDir(path: string): { visit(see: (path: string) => void): void };
}

/** What the schematics use of the `SchematicContext` of `@angular-devkit/schematics`. */
export interface SchematicContext {
  readonly logger: { info(text: string): void; warn(text: string): void };
  addTask(task: { toConfiguration(): { readonly name: string; readonly options: object } }): unknown;
}

/** A change of a project, as a schematic returns it. */
export type Rule = (tree: ProjectTree, context: SchematicContext) => Promise<void>;

/** The fields of a `package.json` that are read or changed. */
export interface PackageJson {
  readonly type?: string;
  dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
}

/** Nothing was written, and the message says what to do. Not of the client, whose errors have an outcome. */
export class SchematicError extends Error {
  override readonly name = 'SchematicError';
}

/** The text of a file of the project. @throws SchematicError when there is none */
export function textOf(tree: ProjectTree, path: string): string {
  const content = tree.read(path);
  if (content === null) throw new SchematicError(`There is no file ${path}. Nothing was changed.`);
  return content.toString();
}

/** The package.json of the project. @throws SchematicError when it is missing or no JSON */
export function packageJsonOf(tree: ProjectTree): PackageJson {
  const text = textOf(tree, 'package.json');
  try {
    return JSON.parse(text) as PackageJson;
  } catch (error) {
    throw new SchematicError('package.json is not valid JSON. Nothing was changed.', { cause: error });
  }
}

/** Replaces package.json, with the indentation and line ends that it had. */
export function writePackageJson(tree: ProjectTree, json: PackageJson): void {
  const before = textOf(tree, 'package.json');
  const indent = /^[ \t]+/m.exec(before)?.[0];
  const text = `${JSON.stringify(json, undefined, indent ?? 2)}\n`;
  tree.overwrite('package.json', before.includes('\r\n') ? text.replaceAll('\n', '\r\n') : text);
}

/** Whether relative imports end with `.js`: as Nest's own schematics decide it. */
export function isEsm(tree: ProjectTree): boolean {
  return packageJsonOf(tree).type === 'module';
}

/** Whether its tests run by Vitest, as those of new projects of Nest 12 do, and not by Jest. */
export function usesVitest(tree: ProjectTree): boolean {
  const { dependencies, devDependencies } = packageJsonOf(tree);
  const has = (name: string): boolean => devDependencies?.[name] !== undefined || dependencies?.[name] !== undefined;
  return has('vitest') && !has('jest');
}

/** Paths of the TypeScript files below a folder, without what is installed or built. */
export function sourceFiles(tree: ProjectTree, folder: string): string[] {
  const found: string[] = [];
  tree.getDir(folder).visit((path) => {
    const relative = path.replace(/^\//, '');
    if (/\.ts$/.test(relative) && !/(^|\/)(node_modules|dist)\//.test(relative)) found.push(relative);
  });
  return found;
}

/** @throws SchematicError for a project in JavaScript, which has no decorators */
export function assertTypeScript(language: string | undefined): void {
  if (language === undefined || language === '' || language === 'undefined' || /^ts$|^typescript$/i.test(language))
    return;
  throw new SchematicError(`The schematics of nestjs-rocketmq write TypeScript, not ${language}. Nothing was changed.`);
}

/** The compiler of the project. @throws SchematicError when it is not installed */
export function compilerOf(root: string): typeof typescript {
  let found: Partial<typeof typescript> | undefined;
  try {
    found = createRequire(join(root, 'package.json'))('typescript') as typeof typescript;
  } catch {
    // Answered below.
  }
  if (found?.createSourceFile !== undefined) return found as typeof typescript;
  throw new SchematicError(
    'The project has no TypeScript with which its modules can be read. Nothing was changed. Run: npm install -D typescript@6',
  );
}

interface Prettier {
  resolveConfig(path: string): Promise<object | null>;
  format(text: string, options: object): string | Promise<string>;
}

/** Formats as the project does: with its Prettier and its configuration. Without Prettier, nothing changes. */
export class Formatter {
  private readonly prettier: Prettier | undefined;

  constructor(private readonly root: string) {
    try {
      this.prettier = createRequire(join(root, 'package.json'))('prettier') as Prettier;
    } catch {
      this.prettier = undefined;
    }
  }

  async formatted(path: string, text: string): Promise<string> {
    if (this.prettier === undefined) return text;
    const filepath = join(this.root, path);
    try {
      return await this.prettier.format(text, { ...(await this.prettier.resolveConfig(filepath)), filepath });
    } catch {
      // Its configuration may ask for a plugin that is missing, which is no reason to write nothing.
      return text;
    }
  }

  /** A file that was not formatted before is not formatted now: the change would be larger than what was asked for. */
  async formattedAs(path: string, before: string, after: string): Promise<string> {
    return (await this.formatted(path, before)) === before ? this.formatted(path, after) : after;
  }
}
