// Runs `nestjs-rocketmq asyncapi document`: loads the file of a module, and describes it without starting it.

import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { documentOfModule, type RootModule } from '../../nest/asyncapi/module-document.js';
import { describeError } from '../../support/logger.js';
import { type CommandIo, type ImportModule, wrongCall } from '../command.js';

const DEFAULT_EXPORT = 'AppModule';
/** How long what the module or its file created may keep this process alive after the application was closed. */
const AFTERLIFE_MS = 2_000;

/** The option values of `asyncapi document`. */
export interface DocumentValues {
  readonly title?: string;
  readonly version?: string;
  readonly out?: string;
  readonly instantiate?: boolean;
}

/** @throws UsageError for a wrong export or a missing title; whatever the module throws */
export async function printDocument(module: string, values: DocumentValues, io: CommandIo): Promise<void> {
  const { file, name } = placeOf(module);
  const info = await infoOf(file, values);
  try {
    await printModule(exportOf(await load(file, io.importModule), name, file), info, values, io);
  } finally {
    await endLater(io);
  }
}

async function printModule(
  root: RootModule,
  info: { readonly title: string; readonly version: string },
  values: DocumentValues,
  io: CommandIo,
): Promise<void> {
  const { document, undecided } = await documentOfModule(root, info, values.instantiate !== true);
  for (const handler of undecided) {
    const why = 'its pattern names no transport, so that only main.ts decides whose it is';
    io.warn(`${handler} is left out: ${why}; name it with @RocketMQReply or ROCKETMQ_TRANSPORT`);
  }
  const text = `${JSON.stringify(document, undefined, 2)}\n`;
  if (values.out === undefined) io.out(text);
  else await writeFile(values.out, text);
}

function placeOf(module: string): { readonly file: string; readonly name: string } {
  const [path = '', name = DEFAULT_EXPORT] = module.split('#', 2);
  return { file: resolve(path), name };
}

async function load(file: string, importModule: ImportModule): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await importModule(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (cause) {
    const isSource = (cause as { readonly code?: unknown } | null)?.code === 'ERR_UNKNOWN_FILE_EXTENSION';
    const fix = isSource ? '; give the compiled file, for instance dist/app.module.js' : '';
    throw new Error(`${file} cannot be loaded: ${describeError(cause)}${fix}`, { cause });
  }
}

/** Node finds the exports of a CommonJS file not always by their names. */
function exportOf(loaded: Readonly<Record<string, unknown>>, name: string, file: string): RootModule {
  const all = { ...Object(loaded.default), ...loaded };
  const found: unknown = all[name];
  // A class, or a dynamic module.
  if (typeof found === 'function' || (typeof found === 'object' && found !== null && 'module' in found)) {
    return found as RootModule;
  }
  const names = Object.keys(all).filter((one) => typeof all[one] === 'function');
  const known = names.length === 0 ? 'it exports no class' : `it exports ${names.join(', ')}`;
  throw wrongCall(`${file} exports no module ${name}; ${known}. Name it as in "app.module.js#AppModule"`);
}

/** @throws UsageError when neither an option nor package.json gives title and version */
async function infoOf(file: string, { title, version }: DocumentValues) {
  const own = title !== undefined && version !== undefined ? {} : await packageOf(file);
  const info = { title: title ?? own.name, version: version ?? own.version };
  if (info.title === undefined) throw wrongCall('no package.json above the module has a name; add --title');
  if (info.version === undefined) throw wrongCall('no package.json above the module has a version; add --version');
  return { title: info.title, version: info.version };
}

/** The nearest package.json with a name: builds put one without a name beside their files. */
async function packageOf(file: string): Promise<{ readonly name?: string; readonly version?: string }> {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const path = join(folder, 'package.json');
    const found = existsSync(path) ? JSON.parse(await readFile(path, 'utf8')) : {};
    if (typeof found.name === 'string') return found;
    if (folder === dirname(folder)) return {};
  }
}

/** The file itself and providers can open what closing the application does not close, since no hook of its start has run. */
async function endLater(io: CommandIo): Promise<void> {
  // A slow reader must get the whole document.
  await io.flushed();
  const timer = setTimeout(() => {
    io.warn('something that the module or its file created still runs; it ends with this command');
    process.exit();
  }, AFTERLIFE_MS);
  timer.unref();
}
