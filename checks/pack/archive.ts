// The archive itself: what is in it, and whether its types and exports are what they say.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { publint as lint } from 'publint';
import { run } from '../../tools/process/run-command.js';

interface Size {
  readonly files: number;
  readonly bytes: number;
}

/**
 * @param what names the archive
 * @param packed `unpacked` is its folder `package`, `root` that of the
 * workspace
 */
export function archiveChecks(
  what: string,
  { archive, unpacked, most, root }: { archive: string; unpacked: string; most: Size; root: string },
): { name: string; run: () => Promise<void> }[] {
  const tool = (path: string) => join(root, 'node_modules', path);
  return [
    { name: `${what}: publint finds nothing`, run: () => publint(unpacked) },
    {
      name: `${what}: its types are right for every way to import it`,
      run: async () =>
        void (await run(process.execPath, [tool('@arethetypeswrong/cli/dist/index.js'), archive], { cwd: root })),
    },
    {
      name: `${what}: no tests, no sources, no source maps that lead nowhere`,
      run: async () => checkFiles(unpacked, most),
    },
    { name: `${what}: every file that package.json names is there`, run: async () => checkExports(unpacked) },
  ];
}

async function publint(unpacked: string): Promise<void> {
  const { messages } = await lint({ pkgDir: unpacked, strict: true, pack: false });
  if (messages.length > 0) throw new Error(JSON.stringify(messages, undefined, 2));
}

function checkFiles(unpacked: string, most: Size): void {
  const files = readdirSync(unpacked, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  // What is written into projects is shipped as it is.
  const built = files.filter((file) => !/^(?:schematics|templates)\//.test(relative(unpacked, file)));
  const stray = built.filter((file) => /\.(?:spec|test)\.|(?<!\.d)\.ts$|\.built$/.test(file));
  const lost = files.flatMap((file) => (file.endsWith('.map') ? lostSources(file) : danglingMap(file)));
  const problems = [...stray.map((file) => `${file} does not belong there`), ...lost];
  if (problems.length > 0) throw new Error(problems.join('\n'));
  const bytes = files.reduce((sum, file) => sum + readFileSync(file).length, 0);
  if (files.length > most.files || bytes > most.bytes)
    throw new Error(`it holds ${files.length} files with ${bytes} bytes, more than ${most.files} with ${most.bytes}`);
}

/** @param file a map */
function lostSources(file: string): string[] {
  const {
    sources,
    sourcesContent,
    sourceRoot = '',
  }: { sources: string[]; sourcesContent?: (string | null)[]; sourceRoot?: string } = JSON.parse(
    readFileSync(file, 'utf8'),
  );
  const folder = resolve(dirname(file), sourceRoot);
  const lost = sources.filter(
    (source, index) => sourcesContent?.[index] == null && !existsSync(resolve(folder, source)),
  );
  return lost.map((source) => `${file} names ${source}, which is not there`);
}

function danglingMap(file: string): string[] {
  if (!/\.[cm]?js$|\.d\.ts$/.test(file)) return [];
  const name = /\/\/# sourceMappingURL=(?!data:)(\S+)\s*$/.exec(readFileSync(file, 'utf8'))?.[1];
  return name === undefined || existsSync(join(dirname(file), name))
    ? []
    : [`${file} names the map ${name}, which is not there`];
}

function checkExports(unpacked: string): void {
  const { exports, main, module, types, bin, typesVersions } = JSON.parse(
    readFileSync(join(unpacked, 'package.json'), 'utf8'),
  );
  const named: string[] = [];
  const walk = (value: unknown) => {
    if (typeof value === 'string') named.push(value);
    else if (typeof value === 'object' && value !== null) for (const one of Object.values(value)) walk(one);
  };
  for (const value of [exports, main, module, types, bin, typesVersions]) walk(value);
  const missing = named.filter((file) => !existsSync(join(unpacked, file)));
  if (missing.length > 0) throw new Error(`missing: ${missing.join(', ')}`);
}
