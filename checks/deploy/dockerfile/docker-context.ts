// What Docker would be given of a folder: everything but what .dockerignore leaves out.

import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * Reads a .dockerignore. Docker takes the last pattern that fits a path or a folder above it.
 * @returns whether a path, with `/` between its parts, is left out
 */
export function ignoredBy(text: string): (path: string) => boolean {
  const patterns = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const isException = line.startsWith('!');
      return { isException, expression: expressionOf(isException ? line.slice(1) : line) };
    });
  return (path) => {
    const parts = path.split('/');
    const above = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
    const last = patterns.findLast(({ expression }) => above.some((one) => expression.test(one)));
    return last !== undefined && !last.isException;
  };
}

function expressionOf(pattern: string) {
  const source = pattern
    .replace(/^\/|\/$/g, '')
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(
      /\*\*\/|\*\*|\*|\?/g,
      (wild) => ({ '**/': '(?:.*/)?', '**': '.*', '*': '[^/]*', '?': '[^/]' })[wild] ?? '',
    );
  return new RegExp(`^${source}$`);
}

/** Copies what Docker would be given. */
export function copyContext(folder: string, target: string): void {
  const file = join(folder, '.dockerignore');
  const isIgnored = existsSync(file) ? ignoredBy(readFileSync(file, 'utf8')) : () => false;
  const visit = (path: string) => {
    for (const entry of readdirSync(join(folder, path), { withFileTypes: true })) {
      const inner = path === '' ? entry.name : `${path}/${entry.name}`;
      // What nobody would look into; Docker looks, and takes nothing of it either.
      if (['.git', 'node_modules'].includes(entry.name) && isIgnored(inner)) continue;
      if (entry.isDirectory()) visit(inner);
      else if (!isIgnored(inner)) copyOne(join(folder, inner), join(target, inner));
    }
  };
  visit('');
}

function copyOne(from: string, to: string): void {
  if (!statSync(from, { throwIfNoEntry: false })?.isFile()) return;
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}
