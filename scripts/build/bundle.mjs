// What tsc has made of the library becomes what is published: few files, for ES modules and CommonJS, and one set of types for both.

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { rolldown } from 'rolldown';

/** What is only in one of the formats: the command line, and what the Nest CLI calls. */
const OF_ONE_FORMAT = { esm: ['cli/main'], cjs: ['schematics/add', 'schematics/listener', 'schematics/topic'] };

const IMPORT = /(?:\bfrom|\bimport|\bimport\()\s*['"](\.[^'"]+)\.js['"]/g;

/**
 * Reads `dist/modules`, which stays for programs of this repository.
 * @param {string} library its folder
 */
export async function bundle(library) {
  const dist = join(library, 'dist');
  const { exports } = JSON.parse(readFileSync(join(library, 'package.json'), 'utf8'));
  const entries = Object.values(exports)
    .filter((conditions) => typeof conditions === 'object')
    .map((conditions) => relative('dist/esm', conditions.import.default).replace(/\.js$/, ''));
  for (const format of /** @type {const} */ (['esm', 'cjs'])) await bundleFormat(dist, format, entries);
  writeFileSync(join(dist, 'cjs/package.json'), '{"type":"commonjs"}\n');
  copyTypes(dist, entries);
}

/** @param {string} dist @param {'esm' | 'cjs'} format @param {readonly string[]} entries */
async function bundleFormat(dist, format, entries) {
  const modules = join(dist, 'modules');
  const files = [
    ...entries.map((name) => [name, join(modules, 'entries', `${name}.js`)]),
    ...OF_ONE_FORMAT[format].map((name) => [name, join(modules, `${name}.js`)]),
  ];
  const build = await rolldown({
    input: Object.fromEntries(files),
    external: /^[^./]/,
    platform: 'node',
    // Its modules have no effects but those of decorators, which are calls that stay.
    treeshake: { moduleSideEffects: true },
    onLog: (_level, log) => {
      throw new Error(`${format}: ${log.message}`);
    },
  });
  await build.write({
    dir: join(dist, format),
    format,
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name].js',
    comments: { legal: true, annotation: true, jsdoc: false },
    // Jest runs CommonJS where import() is an error.
    dynamicImportInCjs: false,
  });
}

/**
 * The declarations that an entry refers to, as those of CommonJS: an ES module may import these, not the other way round.
 * @param {string} dist @param {readonly string[]} entries
 */
function copyTypes(dist, entries) {
  const types = join(dist, 'types');
  const copied = new Set();
  const copy = (/** @type {string} */ file) => {
    if (copied.has(file)) return;
    copied.add(file);
    const to = join(types, relative(join(dist, 'modules'), file));
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(file, to);
    for (const [, path] of readFileSync(file, 'utf8').matchAll(IMPORT))
      copy(`${resolve(dirname(file), String(path))}.d.ts`);
  };
  for (const name of entries) {
    copy(join(dist, 'modules/entries', `${name}.d.ts`));
    const stub = join(dist, 'esm', `${name}.d.ts`);
    const from = relative(dirname(stub), join(types, 'entries', name));
    writeFileSync(stub, `export * from '${from}.js';\n`);
  }
  writeFileSync(join(types, 'package.json'), '{"type":"commonjs"}\n');
}
