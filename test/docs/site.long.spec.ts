// Every page is in the navigation of the site, and the link check of a built site finds dead links.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { contributors, DECISIONS, guides } from '../../docs/site/navigation.js';
import { questions } from '../../scripts/docs/search-questions.js';
import { checkSite } from '../../scripts/docs/site-links.js';
import { anchorsIn, documents, exampleText, isAddress, linksIn } from '../../tools/documents.js';

/** Not counted: made from the sources, of which it is the reference. */
const GENERATED = ['reference/configuration.md', 'licences.md'];
const MAX_WORDS = 60_000;

/** What a user reads: code, marks and the targets of links left out. */
function wordsIn(text: string): number {
  const prose = text
    .replace(/^```[\s\S]*?^```/gm, '')
    .replace(/<!--[\s\S]*?-->/g, '')
    .replace(/\]\([^)]*\)/g, ']');
  return prose.split(/\s+/).filter((word) => /[A-Za-z0-9]/.test(word)).length;
}

describe('the navigation', () => {
  const pages = guides.flatMap(({ pages }) => pages);

  it('has every page once', () => {
    const written = documents().flatMap((document) => /^docs\/(.+)$/.exec(document)?.[1] ?? []);
    const elsewhere = written.filter((page) => page === 'index.md' || page.startsWith(`${DECISIONS}/`));
    expect([...pages, ...contributors, ...elsewhere].sort()).toEqual(written.sort());
  });

  it('has no missing page', () => {
    expect([...pages, ...contributors].filter((page) => !existsSync(join('docs', page)))).toEqual([]);
  });

  it('has the pages that thirty questions to the search look for', () => {
    expect(questions.length).toBeGreaterThanOrEqual(30);
    expect(questions.map(([, page]) => `${page}.md`).filter((page) => !pages.includes(page))).toEqual([]);
  });

  it('has at most 60,000 words for users', () => {
    const read = pages.filter((page) => !GENERATED.includes(page));
    const words = read.map((page) => wordsIn(readFileSync(join('docs', page), 'utf8')));
    expect(words.reduce((sum, count) => sum + count, 0)).toBeLessThan(MAX_WORDS);
  });
});

describe('the check of a built site', () => {
  let folder: string;
  afterEach(() => rmSync(folder, { recursive: true }));

  function site(pages: Record<string, string>) {
    folder = mkdtempSync(join(tmpdir(), 'site-'));
    for (const [page, html] of Object.entries(pages)) {
      mkdirSync(dirname(join(folder, page)), { recursive: true });
      writeFileSync(join(folder, page), html);
    }
    return checkSite(folder);
  }

  it('finds missing pages, headings and addresses', () => {
    const { dead, pages, links } = site({
      'index.html': '<a href="/guide/one.html#here">1</a><a href="./guide/two.html">2</a><a href="http://x">3</a>',
      'guide/one.html':
        '<h2 id="here"></h2><a href="../">4</a><a href="#there">5</a><a href="https://example.org/x">6</a>',
    });
    expect({ pages, links }).toEqual({ pages: 2, links: 6 });
    expect(dead.sort()).toEqual([
      'guide/one.html: #there: no such place on the page',
      'index.html: ./guide/two.html: no such page',
      'index.html: http://x: no address',
    ]);
  });

  it('accepts images, folders and pages without their extension', () => {
    const html = '<a href="/guide/">1</a><a href="/guide/one">2</a><img src="/picture.svg">';
    const { dead } = site({ 'index.html': html, 'guide/index.html': '', 'guide/one.html': '', 'picture.svg': '' });
    expect(dead).toEqual([]);
  });
});

describe('reading documents', () => {
  it('finds links, except those in code', () => {
    const text = 'see [a](a.md#x), ![b](b.svg) and `[c](c.md)`\n\n```sh\n[d](d.md)\n```\n';
    expect(linksIn(text)).toEqual(['a.md#x', 'b.svg']);
  });

  it('creates anchors like code hosts', () => {
    expect(anchorsIn('# On Apache RocketMQ 5.5\n## `a.b()` and c\n## Twice\n## Twice\n')).toEqual([
      'on-apache-rocketmq-55',
      'ab-and-c',
      'twice',
      'twice-1',
    ]);
  });

  it('recognizes addresses', () => {
    expect(['https://example.org/a', 'mailto:a@b.org', 'https://x', 'http://a.org', 'https:/'].map(isAddress)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  it('extracts a region of an example', () => {
    expect(exampleText('docs/examples/fragments.ts#prepare')).toMatch(/^await currentTransaction.*;\n$/);
    expect(readFileSync('docs/guide/transactions.md', 'utf8')).toContain(
      exampleText('docs/examples/fragments.ts#prepare'),
    );
    expect(() => exampleText('docs/examples/fragments.ts#missing')).toThrow('no region missing');
  });
});
