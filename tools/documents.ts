// The documents of this repository: where they are, their links and the places in them that can be linked to.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '..');

const AT_THE_ROOT = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md'];
/** Not written by hand, or no documents. */
const LEFT_OUT = ['docs/site', 'docs/examples', 'docs/reference/api'];

/** Paths from the root of all documents that people write and read. */
export function documents(): string[] {
  return [
    ...AT_THE_ROOT,
    'libs/rocketmq/README.md',
    'libs/console/README.md',
    'checks/bench/README.md',
    ...markdownBelow('docs'),
  ];
}

function markdownBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (LEFT_OUT.includes(path)) return [];
    if (entry.isDirectory()) return markdownBelow(path);
    return path.endsWith('.md') ? [path] : [];
  });
}

export function textOf(document: string): string {
  return readFileSync(join(root, document), 'utf8');
}

/**
 * What a document shows for `<!-- code: PATH -->`: the file, or for `PATH#NAME` the lines between `// #region NAME` and `// #endregion`.
 */
export function exampleText(example: string): string {
  const [path = '', region] = example.split('#');
  const text = readFileSync(join(root, path), 'utf8');
  if (region === undefined) return text;
  const lines = new RegExp(`^ *// #region ${region}\\n([\\s\\S]*?)^ *// #endregion`, 'm').exec(text)?.[1];
  if (lines === undefined) throw new Error(`${path} has no region ${region}`);
  const indent = Math.min(...lines.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.search(/\S/)])));
  return lines.replace(new RegExp(`^ {${indent}}`, 'gm'), '');
}

/** The targets of a document's links and images, code left out. */
export function linksIn(text: string): string[] {
  const prose = text.replace(/^(`{3,})[^\n]*\n[\s\S]*?^\1`*$/gm, '').replace(/`[^`\n]+`/g, '``');
  return [...prose.matchAll(/\]\(\s*<?([^)>\s]+)>?[^)]*\)/g)].map(([, target = '']) => target);
}

/** The anchor of a heading, as code hosts make it. @param heading without its marks */
export function slugOf(heading: string): string {
  const kept = heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '');
  return kept.trim().replace(/\s/g, '-');
}

/** The anchors of a document's headings, as code hosts make them. */
export function anchorsIn(text: string): string[] {
  const prose = text.replace(/^(`{3,})[^\n]*\n[\s\S]*?^\1`*$/gm, '');
  const seen = new Map();
  return [...prose.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => {
    const slug = slugOf(heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1'));
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    return count === 0 ? slug : `${slug}-${count}`;
  });
}

/** What is wrong with a document's links: files and places that are not there, addresses that are none. */
export function deadLinks(document: string): string[] {
  const text = textOf(document);
  return linksIn(text).filter((link) => isDead(link, document, text));
}

function isDead(link: string, document: string, text: string): boolean {
  if (/^[a-z][a-z+.-]*:/i.test(link)) return !isAddress(link);
  const [path = '', anchor] = link.split('#');
  const file = path === '' ? join(root, document) : resolve(root, dirname(document), decodeURI(path));
  if (relative(root, file).startsWith('..') || !existsSync(file)) return true;
  if (anchor === undefined) return false;
  if (!file.endsWith('.md') || statSync(file).isDirectory()) return true;
  return !anchorsIn(path === '' ? text : readFileSync(file, 'utf8')).includes(anchor);
}

/** Whether it may be an address of the web or of a person; nobody is asked. */
export function isAddress(link: string): boolean {
  if (!URL.canParse(link)) return false;
  const { protocol, hostname } = new URL(link);
  return protocol === 'mailto:' || (protocol === 'https:' && hostname.includes('.'));
}
