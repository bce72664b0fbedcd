// What Docker would be given of a folder: everything but what .dockerignore leaves out.

import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * Reads a .dockerignore. Docker takes the last pattern that fits a path or a folder above it.
 * @param {string} text
 * @returns {(path: string) => boolean} whether a path, with `/` between its parts, is left out
 */
export function ignoredBy(text) {
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

/** @param {string} pattern */
function expressionOf(pattern) {
  const source = pattern
    .replace(/^\/|\/$/g, '')
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(
      /\*\*\/|\*\*|\*|\?/g,
      (wild) => ({ '**/': '(?:.*/)?', '**': '.*', '*': '[^/]*', '?': '[^/]' })[wild] ?? '',
    );
  return new RegExp(`^${source}$`);
}

/**
 * Copies what Docker would be given.
 * @param {string} folder
 * @param {string} target
 */
export function copyContext(folder, target) {
  const file = join(folder, '.dockerignore');
  const isIgnored = existsSync(file) ? ignoredBy(readFileSync(file, 'utf8')) : () => false;
  const visit = (/** @type {string} */ path) => {
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

/** @param {string} from @param {string} to */
function copyOne(from, to) {
  if (!statSync(from, { throwIfNoEntry: false })?.isFile()) return;
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}
