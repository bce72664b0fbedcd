// Lets Node run the TypeScript of this repository without a build, for processes that tests start.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { transformSync } from '@swc/core';

const LIBRARY = join(import.meta.dirname, '..', '..', 'libs', 'rocketmq', 'src');
const CONSOLE = join(import.meta.dirname, '..', '..', 'libs', 'console', 'src', 'entries');
const DEMO_KIT = join(import.meta.dirname, '..', '..', 'libs', 'demo-kit', 'src', 'index.ts');

/** @type {import('node:module').ResolveHook} */
export async function resolve(specifier, context, nextResolve) {
  const entry = /^nestjs-rocketmq(?:\/(\w+))?$/.exec(specifier);
  if (entry !== null)
    return nextResolve(pathToFileURL(join(LIBRARY, 'entries', `${entry[1] ?? 'nest'}.ts`)).href, context);
  const page = /^nestjs-rocketmq-console(?:\/(\w+))?$/.exec(specifier);
  if (page !== null) return nextResolve(pathToFileURL(join(CONSOLE, `${page[1] ?? 'nest'}.ts`)).href, context);
  if (specifier === 'demo-kit') return nextResolve(pathToFileURL(DEMO_KIT).href, context);
  if (specifier.startsWith('.') && specifier.endsWith('.js') && context.parentURL?.endsWith('.ts')) {
    const source = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
    if (existsSync(source)) return nextResolve(source.href, context);
  }
  return nextResolve(specifier, context);
}

/** @type {import('node:module').LoadHook} */
export async function load(url, context, nextLoad) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return nextLoad(url, context);
  const filename = fileURLToPath(url);
  const { code } = transformSync(readFileSync(filename, 'utf8'), {
    filename,
    swcrc: false,
    configFile: false,
    sourceMaps: 'inline',
    module: { type: 'es6' },
    jsc: {
      target: 'es2022',
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
      keepClassNames: true,
    },
  });
  return { format: 'module', source: code, shortCircuit: true };
}
