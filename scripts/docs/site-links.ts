// Reads a built site as a browser would, and reports its broken links.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAddress } from '../../tools/documents.js';

/** @param folder of the built site */
export function checkSite(folder: string): { pages: number; links: number; dead: string[] } {
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

function anchorsOf(html: string) {
  return new Set([...html.matchAll(/\sid="([^"]+)"/g)].map(([, id = '']) => unescaped(id)));
}

function linksOf(html: string): string[] {
  return [...html.matchAll(/\s(?:href|src)="([^"]*)"/g)].map(([, link = '']) => unescaped(link));
}

function unescaped(text: string): string {
  return text.replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
}

function problemOf(link: string, page: string, folder: string, anchors: Map<string, Set<string>>) {
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

function isFile(folder: string, name: string, anchors: Map<string, Set<string>>): boolean {
  return anchors.has(name) || (!name.endsWith('/') && /\.\w+$/.test(name) && existsSync(join(folder, name)));
}
