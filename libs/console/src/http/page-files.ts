// The files that the browser loads, as build.mjs creates them: read once, and found by their exact names, so that no path leads elsewhere.

import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { type ConsoleAnswer, ConsoleRejection, type ConsoleRequest } from './exchange.js';
import { fileHeaders } from './headers.js';
import { here } from './here.cjs';

interface PageFile {
  readonly body: Buffer;
  readonly type: string;
  readonly etag: string;
  readonly isNamedByContent: boolean;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};
const PAGE = 'index.html';
const BASE = '<base href="./" />';
/** As esbuild names the parts of a script. */
const NAMED_BY_CONTENT = /-[A-Z0-9]{8}\.(js|css)$/;
/** Beside the built server, and beside its source. */
const FOLDERS = ['../../web', '../../dist/web'].map((path) => join(here, path));

export class PageFiles {
  private files: Promise<ReadonlyMap<string, PageFile>> | undefined;

  /** @param folders the first one that was built is served */
  constructor(private readonly folders: readonly string[] = FOLDERS) {}

  /** Whether a request is for a file or a page, not for data. */
  static isMeant({ path }: ConsoleRequest): boolean {
    return path !== '/api' && !path.startsWith('/api/');
  }

  /** @throws ConsoleRejection */
  async answer({ method, path, headers, mountedAs }: ConsoleRequest): Promise<ConsoleAnswer> {
    if (method !== 'GET' && method !== 'HEAD')
      throw new ConsoleRejection(405, 'METHOD', `${method} is not answered here; nothing was changed`);
    const files = await this.all();
    const [, first, name = '', ...more] = path.split('/');
    if (first === 'assets') {
      const file = more.length === 0 && name !== PAGE ? files.get(name) : undefined;
      if (file === undefined) throw new ConsoleRejection(404, 'NO_FILE', 'there is no such file');
      return answerOf(file, headers['if-none-match']);
    }
    const page = files.get(PAGE);
    if (page === undefined)
      throw new ConsoleRejection(503, 'NOT_BUILT', 'the pages of the console were not built; run: npm run build');
    return answerOf(withBase(page, baseFor(path, mountedAs)), headers['if-none-match']);
  }

  private async all(): Promise<ReadonlyMap<string, PageFile>> {
    this.files ??= readFirst(this.folders);
    try {
      const files = await this.files;
      // Built while the application runs, during development.
      if (files.size === 0) this.files = undefined;
      return files;
    } catch (error) {
      this.files = undefined;
      throw error;
    }
  }
}

/**
 * What leads from a page to where the console is mounted, without naming it: a proxy may serve it elsewhere.
 * @param mountedAs the last part of the address, for a page that was opened without a slash at its end
 */
function baseFor(path: string, mountedAs = ''): string {
  if (path === '') return `./${mountedAs}/`;
  const depth = path.split('/').length - 2;
  return depth <= 0 ? './' : '../'.repeat(depth);
}

function withBase(page: PageFile, base: string): PageFile {
  if (base === './') return page;
  const text = page.body.toString('utf8').replace(BASE, () => `<base href="${escaped(base)}" />`);
  return fileOf(PAGE, Buffer.from(text));
}

/** Node passes on whatever a client sends as its address. */
function escaped(text: string): string {
  return text.replace(/[^A-Za-z0-9._~%/-]/g, (char) => encodeURIComponent(char));
}

function answerOf({ body, type, etag, isNamedByContent }: PageFile, known: string | undefined): ConsoleAnswer {
  const headers = { ...fileHeaders(type, isNamedByContent), etag };
  const isKnown = known?.split(',').some((one) => one.trim().replace(/^W\//, '') === etag) === true;
  if (isKnown) return { kind: 'whole', status: 304, headers, body: '' };
  return { kind: 'whole', status: 200, headers, body };
}

async function readFirst(folders: readonly string[]): Promise<ReadonlyMap<string, PageFile>> {
  for (const folder of folders) {
    const names = await namesIn(folder);
    // The sources are in a folder of the same name.
    if (!names.includes(PAGE) || !names.includes('main.js')) continue;
    const served = names.filter((name) => TYPES[extname(name)] !== undefined);
    const files = served.map(async (name) => [name, fileOf(name, await readFile(join(folder, name)))] as const);
    return new Map(await Promise.all(files));
  }
  return new Map();
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function fileOf(name: string, body: Buffer): PageFile {
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  const type = TYPES[extname(name)] ?? 'application/octet-stream';
  return { body, type, etag, isNamedByContent: NAMED_BY_CONTENT.test(name) };
}
