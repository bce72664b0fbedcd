// What a change can break: which suites import or read what has changed, and which checks judge it.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import typescript from 'typescript';
import type { Check } from '../check.js';
import { PART_FOLDERS } from '../rocketmq/parts.js';
import { READS, STARTS } from './reads.js';
import { type Command, LEFT_OUT, type Stage } from './stages.js';

const root = join(import.meta.dirname, '../..');
const FOLDERS = ['apps', 'checks', 'docs/examples', 'libs', 'scripts', 'test', 'tools'];
const SOURCE = /\.(tsx?|mjs)$/;
const GENERATED = /\/(node_modules|dist)(\/|$)/;
/** What decides about every suite and check. */
const EVERYTHING =
  /^(package(-lock)?\.json|jest\.config\.mjs|tsconfig[\w.]*\.json|\.ci\/.*|tools\/.*|test\/fixtures\/.*|checks\/(gate\/)?[\w.]+\.ts)$|\/package\.json$/;
/** These start applications, servers or commands, or read documents: their imports do not show what they depend on. */
const BY_MORE_THAN_IMPORTS = /^test\/(alone|control|docs|e2e|observability|processes|real|restarts|runners|secured)\//;
/** Checks that run with `--full` only, or whose folder has another name: which files are theirs. */
const HOMES: Readonly<Record<string, string>> = {
  bench: 'checks/bench/',
  dockerfile: 'checks/deploy/dockerfile/',
  http2: 'checks/http2/',
  load: 'checks/bench/load/',
  model: 'checks/model/',
  mutations: 'checks/simulation/mutate.ts',
};
const PARTS: Readonly<Record<string, readonly string[]>> = PART_FOLDERS;

export type ImportGraph = ReadonlyMap<string, readonly string[]>;

/** The imports between the files of this repository, also of types and those that are lazy. */
export function readImports(): ImportGraph {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter(({ name, parentPath }) => SOURCE.test(name) && !GENERATED.test(parentPath))
      .map(({ name, parentPath }) => relative(root, join(parentPath, name)).split(sep).join('/')),
  );
  const known = new Set(files);
  return new Map(files.map((file) => [file, importsOf(file, known)]));
}

function importsOf(file: string, known: ReadonlySet<string>): readonly string[] {
  const { importedFiles } = typescript.preProcessFile(readFileSync(join(root, file), 'utf8'), true, true);
  return importedFiles.flatMap(({ fileName }) =>
    targetOf(file, fileName)
      .filter((path) => known.has(path))
      .slice(0, 1),
  );
}

/** Where an import may lead. */
function targetOf(file: string, from: string): readonly string[] {
  const [, name, entry] = /^(nestjs-rocketmq|nestjs-rocketmq-console|demo-kit)(?:\/([\w/-]+))?$/.exec(from) ?? [];
  if (name === 'demo-kit') return ['libs/demo-kit/src/index.ts'];
  if (name !== undefined) {
    const library = name === 'nestjs-rocketmq' ? 'libs/rocketmq' : 'libs/console';
    return [`${library}/src/entries/${entry ?? 'nest'}.ts`];
  }
  if (!from.startsWith('.')) return [];
  const path = relative(root, resolve(root, dirname(file), from))
    .split(sep)
    .join('/');
  return [path, path.replace(/\.js$/, '.ts'), path.replace(/\.js$/, '.tsx')];
}

/** What has changed, and what imports, reads or starts it, directly or not. */
export function reachedFrom(changed: readonly string[], imports: ImportGraph): ReadonlySet<string> {
  const importers = new Map<string, string[]>();
  for (const [file, targets] of imports) {
    for (const target of targets) importers.set(target, [...(importers.get(target) ?? []), file]);
  }
  const reached = new Set([...changed, ...changed.flatMap((file) => usersOf(file, READS))]);
  for (const file of reached) {
    for (const user of [...(importers.get(file) ?? []), ...usersOf(file, STARTS)]) reached.add(user);
  }
  return reached;
}

function usersOf(file: string, uses: Readonly<Record<string, readonly string[]>>): readonly string[] {
  return Object.keys(uses).filter((user) => uses[user]?.some((path) => isAt(path, file)));
}

function isAt(path: string, file: string): boolean {
  return path.endsWith('/') ? file.startsWith(path) : file === path;
}

interface Change {
  readonly changed: readonly string[];
  readonly specs: readonly string[];
  readonly imports: ImportGraph;
  readonly checks: readonly Check[];
  /** Stages that run in turn with others. They run out of turn when a suite or check of theirs has changed itself. */
  readonly inTurn: readonly Stage[];
  /** The stages of `--full`. Of those that no other gate has, checks that have changed themselves run, for as long as they do by default. */
  readonly full: readonly Stage[];
}

/** The stages that what has changed can break, each with the suites that it can break. */
export function affectedStages(
  stages: readonly Stage[],
  { changed, specs, imports, checks, inTurn, full }: Change,
): readonly Stage[] {
  if (changed.some((path) => EVERYTHING.test(path))) return stages;
  const reached = reachedFrom(changed, imports);
  // Suites and checks that have changed themselves, or parts of theirs: neither a turn nor their time keeps them from running.
  const own = reachedFrom(
    changed.filter((path) => /^(checks|test)\//.test(path) || path.endsWith('.spec.ts')),
    imports,
  );
  const isProduct = changed.some((path) => /^(apps|libs|scripts)\//.test(path));
  const areDocuments = changed.some((path) => path.endsWith('.md') || path.startsWith('docs/'));
  const isAffected = (spec: string): boolean =>
    reached.has(spec) ||
    (BY_MORE_THAN_IMPORTS.test(spec) && (isProduct || (areDocuments && spec.startsWith('test/docs/')))) ||
    // These read every file.
    /^test\/(house|language|regular-expressions\.long|suites\.long)\.spec\.ts$/.test(spec);
  const wanted = specs.filter(isAffected);
  const isLeftOut = (spec: string): boolean => LEFT_OUT.some((end) => spec.endsWith(end));
  const affected = (stage: Stage, isOutOfTurn: boolean): readonly Stage[] => {
    if (stage.kind === 'same-contract') return [];
    if (stage.kind === 'suite') {
      const paths = wanted.filter(
        (spec) =>
          (isIn(stage, spec) && (!isOutOfTurn || own.has(spec))) ||
          (stage.name === 'tests-long' && own.has(spec) && isLeftOut(spec)),
      );
      return paths.length === 0 ? [] : [{ ...stage, command: withPaths(stage.command, paths) }];
    }
    const name = checkOf(stage);
    const isWanted =
      name === undefined || isOwn(name, own, changed) || (!isOutOfTurn && isJudged(name, checks, changed));
    return isWanted ? [stage] : [];
  };
  const fullOnly = full.filter(({ name }) => name in HOMES).map(forItsUsualTime);
  const others = [...inTurn, ...fullOnly].filter(({ name }) => stages.every((stage) => stage.name !== name));
  return [...stages.flatMap((stage) => affected(stage, false)), ...others.flatMap((stage) => affected(stage, true))];
}

/** Whether a suite belongs to a stage. */
function isIn({ name, command }: Stage & { readonly kind: 'suite' }, spec: string): boolean {
  const isReal = command.includes('test:rocketmq');
  const paths = command.filter((word) => SUITE.test(word));
  const part = command[command.indexOf('--part') + 1];
  if (isReal && command.includes('--part') && !PARTS[part ?? '']?.some((folder) => spec.startsWith(`${folder}/`)))
    return false;
  if (paths.length > 0) return paths.some((path) => spec.startsWith(path));
  if (isReal)
    return Object.values(PARTS)
      .flat()
      .some((folder) => spec.startsWith(`${folder}/`));
  const needsServer = /^test\/(real|alone|secured|restarts)\//.test(spec);
  return !needsServer && (name !== 'tests' || !spec.endsWith('.long.spec.ts'));
}

const SUITE = /^(apps|checks|libs|scripts|test|tools)\//;

function withPaths(command: Command, paths: readonly string[]): Command {
  const [program, ...args] = command;
  return [program, ...args.filter((word) => !SUITE.test(word)), ...paths];
}

/** The check that a stage runs. */
function checkOf(stage: Exclude<Stage, { kind: 'same-contract' | 'suite' }>): string | undefined {
  const command = stage.kind === 'commands' ? stage.commands[0] : stage.command;
  return command?.includes('check') ? command[command.indexOf('--') + 1] : undefined;
}

function forItsUsualTime(stage: Stage): Stage {
  if (stage.kind !== 'cases') return stage;
  const [program, ...args] = stage.command;
  return { ...stage, command: [program, ...args.filter((word) => word !== '--long')] };
}

/** Whether a check has changed itself, or what it imports of other checks. */
function isOwn(name: string, own: ReadonlySet<string>, changed: readonly string[]): boolean {
  const home = HOMES[name] ?? `checks/${name}/`;
  const isPart = (path: string): boolean => isAt(home, path) && !/\.(md|spec\.ts)$/.test(path);
  return own.has(home.endsWith('/') ? `${home}check.ts` : home) || changed.some(isPart);
}

function isJudged(name: string, checks: readonly Check[], changed: readonly string[]): boolean {
  const check = checks.find((one) => one.name === name);
  const paths = [`checks/${name}`, ...(check?.judges ?? [])];
  return changed.some((file) => paths.some((path) => file === path || file.startsWith(`${path}/`)));
}
