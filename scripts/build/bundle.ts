// What tsc has made of the library becomes what is published: the code once, as CommonJS in few files, an ES module for each entry that
// exports the same, and one set of types for both.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { type OutputChunk, rolldown } from 'rolldown';
import { Declarations } from './declarations.js';

const root = join(import.meta.dirname, '../..');

/** Loaded by their paths: the command line, and what the Nest CLI calls. */
const NOT_EXPORTED = ['cli/main', 'schematics/add', 'schematics/listener', 'schematics/topic'];

/**
 * Packages that an ES module of the library imports and hands over to the CommonJS code, which requires them only if nobody did. Jest cannot
 * require the ES modules among them. And what is not installed must not be missed by CommonJS code that an ES module imports: Node 20 would
 * end the process even where import() is caught.
 */
const HANDED_OVER = /^(?:@nestjs\/.+|vitest|@jest\/globals|@opentelemetry\/api)$/;
const HANDED_OVER_HERE = 'packages/handed-over.js';

/** What was bundled, by its files in `dist/cjs`. */
type Chunks = ReadonlyMap<string, OutputChunk>;

/**
 * Reads `dist/modules`, which stays for programs of this repository.
 * @param library its folder
 */
export async function bundle(library: string): Promise<void> {
  const dist = join(library, 'dist');
  const { exports, devDependencies } = JSON.parse(readFileSync(join(library, 'package.json'), 'utf8'));
  const packed = Object.keys(devDependencies);
  const entries = Object.values<string | { readonly require: { readonly default: string } }>(exports)
    .filter((conditions) => typeof conditions === 'object')
    .map((conditions) => relative('dist/cjs', conditions.require.default).replace(/\.js$/, ''));
  const chunks = await bundleCode(dist, entries, packed);
  writeLicences(dist, packed);
  for (const name of entries) writeModule(dist, name, chunks);
  // The nearest package.json is what bundlers ask, too.
  const sideEffects = ['./testing/*.js'];
  writeFileSync(join(dist, 'cjs/package.json'), `${JSON.stringify({ type: 'commonjs', sideEffects })}\n`);
  writeTypes(dist, entries);
}

/** @param packed packages that become part of the code */
async function bundleCode(dist: string, entries: readonly string[], packed: readonly string[]): Promise<Chunks> {
  const modules = join(dist, 'modules');
  const files = [
    ...entries.map((name) => [name, join(modules, 'entries', `${name}.js`)]),
    ...NOT_EXPORTED.map((name) => [name, join(modules, `${name}.js`)]),
  ];
  const handedOver = new Set<string>();
  const build = await rolldown({
    cwd: modules,
    input: Object.fromEntries(files),
    external: (id) => /^[^./]/.test(id) && !HANDED_OVER.test(id) && !packed.includes(id),
    platform: 'node',
    // Its modules have no effects but those of decorators, which are calls that stay.
    treeshake: { moduleSideEffects: true },
    plugins: [
      {
        name: 'handed-over packages',
        resolveId(id) {
          if (!HANDED_OVER.test(id)) return undefined;
          handedOver.add(id);
          // Relative to `cwd`, as the files of the output are.
          return { id: join(modules, packageFile(id)), external: 'relative' };
        },
      },
    ],
    onLog: (_level, log) => {
      throw new Error(log.message);
    },
  });
  const { output } = await build.write({
    dir: join(dist, 'cjs'),
    format: 'cjs',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name].js',
    comments: { legal: true, annotation: true, jsdoc: false },
    // Jest runs CommonJS where import() is an error.
    dynamicImportInCjs: false,
  });
  write(join(dist, 'cjs', HANDED_OVER_HERE), '// Set by the ES modules of this library.\nmodule.exports = {};\n');
  for (const one of output)
    if (one.type === 'chunk' && /=>.*(?<!\.)\brequire\((?!")/.test(one.code))
      throw new Error(`${one.fileName} has an import() of what it computes, which became a require()`);
  for (const id of handedOver) writePackage(join(dist, 'cjs'), id);
  return new Map(output.flatMap((one) => (one.type === 'chunk' ? [[one.fileName, one]] : [])));
}

/** Who hands on the code of a package hands on its licence. */
function writeLicences(dist: string, packed: readonly string[]): void {
  const texts = packed.map((name) => {
    const folder = join(root, 'node_modules', name);
    const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
    if (file === undefined) throw new Error(`${name} has no licence`);
    return `${name} ${version}\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`;
  });
  write(join(dist, 'cjs/packages/LICENSES'), texts.join('\n\n'));
}

function packageFile(id: string): string {
  return `packages/${id}.js`;
}

/** Where the code finds a package: as it was handed over, or else by require(). */
function writePackage(cjs: string, id: string): void {
  const file = join(cjs, packageFile(id));
  write(
    file,
    `module.exports = require('${pathFrom(file, join(cjs, HANDED_OVER_HERE))}')['${id}'] ?? require('${id}');\n`,
  );
}

/** The ES module of an entry: the names that its CommonJS module exports. */
function writeModule(dist: string, name: string, chunks: Chunks): void {
  const cjs = join(dist, 'cjs');
  const code = join(cjs, `${name}.js`);
  const file = join(dist, 'esm', `${name}.js`);
  const packages = packagesOf(`${name}.js`, chunks);
  if (packages.length === 0) {
    writeReexports(cjs, file, name, chunks);
    return;
  }
  const names = chunks.get(`${name}.js`)?.exports.join(', ');
  // Jest evaluates a CommonJS module before the ES module that imports it, so that the code must wait behind a function.
  const loader = join(cjs, 'packages/hand-over', `${name}.js`);
  const handOver = `Object.assign(require('${pathFrom(loader, join(cjs, HANDED_OVER_HERE))}'), packages);`;
  write(
    loader,
    `module.exports = (packages) => {\n\t${handOver}\n\treturn require('${pathFrom(loader, code)}');\n};\n`,
  );
  const imports = packages.map((id, index) => `import * as package${index} from '${id}';\n`).join('');
  const argument = packages.map((id, index) => `'${id}': package${index}`).join(', ');
  const load = `import load from '${pathFrom(file, loader)}';\n`;
  write(file, `${imports}${load}export const { ${names} } = load({ ${argument} });\n`);
}

/**
 * An entry that needs no package handed over. It re-exports from one small file for each chunk: a bundler leaves out the chunks that an
 * application needs nothing of, and Node.js, which searches what an ES module imports for the names of its exports, has little to search.
 */
function writeReexports(cjs: string, file: string, name: string, chunks: Chunks): void {
  let text = '';
  for (const [path, names] of exportsByFile(`${name}.js`, chunks)) {
    const part = join(cjs, 'exports', name, basename(path));
    const lines = [...names].map(([exported, there]) => `exports.${exported} = code.${there};\n`);
    write(part, `const code = require('${pathFrom(part, join(cjs, path))}');\n${lines.join('')}`);
    text += `export { ${[...names.keys()].join(', ')} } from '${pathFrom(file, part)}';\n`;
  }
  write(file, text);
}

/** Which file of `dist/cjs` has what an entry exports, and by which name. */
function exportsByFile(fileName: string, chunks: Chunks): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const { code = '', exports = [] } = chunks.get(fileName) ?? {};
  const files = new Map(
    [...code.matchAll(/^const (\w+) = require\("(\..+)"\);$/gm)].map(([, variable, path = '']) => [
      variable,
      join(dirname(fileName), path),
    ]),
  );
  const found = [...code.matchAll(/^exports\.(\w+) = (?:(\w+)\.)?(\w+);$/gm)];
  if (found.length !== exports.length) throw new Error(`${fileName} exports ${found.length} of ${exports.join()}`);
  const names = new Map<string, Map<string, string>>();
  for (const [, name = '', variable, there = ''] of found) {
    const file = files.get(variable) ?? fileName;
    const ofFile = names.get(file) ?? new Map();
    names.set(file, ofFile.set(name, file === fileName ? name : there));
  }
  return names;
}

/** The packages that must be handed over before a file of `dist/cjs` is loaded. */
function packagesOf(fileName: string, chunks: Chunks): readonly string[] {
  const reached = new Set([fileName]);
  for (const one of reached) {
    const { imports = [], dynamicImports = [] } = chunks.get(one) ?? {};
    for (const next of [...imports, ...dynamicImports]) reached.add(next);
  }
  return [...reached].flatMap((one) => /(?:^|\/)packages\/(.+)\.js$/.exec(one)?.[1] ?? []).sort();
}

/** The declarations that an entry refers to, as those of CommonJS: an ES module may import these, not the other way round. */
function writeTypes(dist: string, entries: readonly string[]): void {
  const modules = join(dist, 'modules');
  const types = join(dist, 'types');
  const declarations = new Declarations();
  for (const name of entries) declarations.keepAll(join(modules, 'entries', `${name}.d.ts`));
  declarations.write(modules, types);
  for (const name of entries) {
    const stub = join(dist, 'esm', `${name}.d.ts`);
    write(stub, `export * from '${pathFrom(stub, join(types, 'entries', `${name}.js`))}';\n`);
  }
  writeFileSync(join(types, 'package.json'), '{"type":"commonjs"}\n');
}

/** How a file names another one. */
function pathFrom(file: string, to: string): string {
  const path = relative(dirname(file), to);
  return path.startsWith('.') ? path : `./${path}`;
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
