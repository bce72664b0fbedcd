// Reads a built site as a browser would, and reports its broken links.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAddress } from '../../tools/documents.mjs';

/** @param {string} folder of the built site @returns {{ pages: number, links: number, dead: string[] }} */
export function checkSite(folder) {
  const pages = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.html'));
  const anchors = new Map(pages.map((page) => [page, anchorsOf(readFileSync(join(folder, page), 'utf8'))]));
  const dead = [];
  let links = 0;
  for (const page of pages) {
    for (const link of linksOf(readFileSync(join(folder, page), 'utf8'))) {
      links++;
      const problem = problemOf(link, page, folder, anchors);
      if (problem !== undefined) dead.push(`${page}: ${link}: ${problem}`);
    }
  }
  return { pages: pages.length, links, dead: [...new Set(dead)] };
}

/** @param {string} html */
function anchorsOf(html) {
  return new Set([...html.matchAll(/\sid="([^"]+)"/g)].map(([, id = '']) => unescaped(id)));
}

/** @param {string} html */
function linksOf(html) {
  return [...html.matchAll(/\s(?:href|src)="([^"]*)"/g)].map(([, link = '']) => unescaped(link));
}

/** @param {string} text */
function unescaped(text) {
  return text.replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
}

/**
 * @param {string} link
 * @param {string} page
 * @param {string} folder
 * @param {Map<string, Set<string>>} anchors
 */
function problemOf(link, page, folder, anchors) {
  if (/^[a-z][a-z+.-]*:/i.test(link)) return isAddress(link) || link.startsWith('data:') ? undefined : 'no address';
  const { pathname, hash } = new URL(link, `https://site.invalid/${page}`);
  const path = decodeURIComponent(pathname).slice(1);
  const found = [path, `${path}index.html`, `${path}.html`].find(
    (name) => name !== '' && isFile(folder, name, anchors),
  );
  if (found === undefined) return 'no such page';
  if (hash === '' || !anchors.has(found)) return undefined;
  return anchors.get(found)?.has(decodeURIComponent(hash.slice(1))) ? undefined : 'no such place on the page';
}

/** @param {string} folder @param {string} name @param {Map<string, Set<string>>} anchors */
function isFile(folder, name, anchors) {
  return anchors.has(name) || (!name.endsWith('/') && /\.\w+$/.test(name) && existsSync(join(folder, name)));
}
