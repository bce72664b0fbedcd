// The site: which pages there are, where they stand in the navigation, and how links out of docs/ are shown. The pages are in docs/.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { defineConfig } from 'vitepress';
import { miniSearch } from '../../../scripts/docs/search-options.ts';
import { slugOf } from '../../../tools/documents.ts';
import { home } from '../home.ts';
import { contributors, DECISIONS, guides } from '../navigation.ts';

const site = resolve(import.meta.dirname, '..');
const docs = resolve(site, '..');
const repository = resolve(docs, '..');

/** The heading of a page without its marks; of one that shows another file its name. */
function titleOf(file) {
  const heading = /^# (.+)$/m.exec(readFileSync(join(docs, file), 'utf8'))?.[1] ?? basename(file, '.md');
  return heading.replaceAll('`', '').replace(/^./, (first) => first.toUpperCase());
}

const entry = (file) => ({ text: titleOf(file), link: `/${file.replace(/\.md$/, '')}` });
const pagesIn = (folder) =>
  readdirSync(join(docs, folder))
    .filter((name) => name.endsWith('.md'))
    .sort()
    .map((name) => entry(`${folder}/${name}`));

/** Entry points of the API reference, each package before its own; there are none while the reference has not been built. */
function entryPoints() {
  return ['nestjs-rocketmq', 'nestjs-rocketmq-console'].flatMap((name) => {
    const home = join(docs, 'reference/api', name);
    if (!existsSync(home)) return [];
    const parts = readdirSync(home).filter((part) => existsSync(join(home, part, 'index.md')));
    return [
      { text: name, link: `/reference/api/${name}/` },
      ...parts.map((part) => ({ text: `/${part}`, link: `/reference/api/${name}/${part}/` })),
    ];
  });
}

/** A file of the repository that is no page is named, not linked: a built site stands alone. */
function nameFilesOutside(markdown) {
  markdown.core.ruler.push('files-outside', ({ tokens, env }) => {
    for (const { children } of tokens) {
      let isInside = true;
      for (const token of children ?? []) {
        if (token.type === 'link_open') {
          isInside = isPage(token.attrGet('href') ?? '', env.path);
          if (!isInside) token.tag = 'span';
          if (!isInside) token.attrs = [['title', relative(repository, target(token.attrGet('href') ?? '', env.path))]];
        }
        if (token.type !== 'link_close') continue;
        if (!isInside) token.tag = 'span';
        isInside = true;
      }
    }
  });
  const { link_open: linkOpen, link_close: linkClose } = markdown.renderer.rules;
  const plain = (tokens, index, options, _env, self) => self.renderToken(tokens, index, options);
  markdown.renderer.rules.link_open = (tokens, index, ...others) =>
    (tokens[index].tag === 'span' ? plain : (linkOpen ?? plain))(tokens, index, ...others);
  markdown.renderer.rules.link_close = (tokens, index, ...others) =>
    (tokens[index].tag === 'span' ? plain : (linkClose ?? plain))(tokens, index, ...others);
}

/** Pages for contributors answer other questions in the same words. */
const isSearched = (page) => !contributors.includes(page) && !page.startsWith(`${DECISIONS}/`);

/** Pages are text: braces in them are braces, not expressions. */
function showBraces(markdown) {
  for (const rule of ['text', 'code_inline']) {
    const render = markdown.renderer.rules[rule];
    markdown.renderer.rules[rule] = (...given) => render(...given).replaceAll('{{', '&#123;&#123;');
  }
}

/** A block of Mermaid becomes the diagram that the theme draws. */
function drawDiagrams(markdown) {
  const { fence } = markdown.renderer.rules;
  markdown.renderer.rules.fence = (tokens, index, ...others) => {
    const { info, content } = tokens[index];
    if (info.trim() !== 'mermaid') return fence(tokens, index, ...others);
    return `<Diagram source="${markdown.utils.escapeHtml(content)}" />`;
  };
}

/** A test is written for Jest; the reader switches to his runner, or to CommonJS, whose imports have no extension. */
function switchRunners(markdown) {
  markdown.core.ruler.after('block', 'runners', (state) => {
    if (state.env.isSearch) return;
    state.tokens = state.tokens.flatMap((token) => {
      if (token.type !== 'fence' || !token.content.includes("from '@jest/globals'")) return [token];
      const edge = (type, nesting) => new state.Token(`container_code-group_${type}`, 'div', nesting);
      const variant = (name, content) =>
        Object.assign(new state.Token('fence', 'code', 0), { ...token, info: `ts [${name}]`, content });
      return [
        edge('open', 1),
        variant('Jest', token.content),
        variant('Vitest', token.content.replace("'@jest/globals'", "'vitest'")),
        variant('Jest, CommonJS', token.content.replace(/(from '\.[^']+)\.js'/g, "$1'")),
        edge('close', -1),
      ];
    });
  });
}

const target = (href, page) => resolve(dirname(page), decodeURI(href.split('#')[0]));

function isPage(href, page) {
  if (/^([a-z]+:|#|\/)/.test(href) || page === undefined) return true;
  const file = relative(docs, target(href, page));
  return !file.startsWith('..') && (file.endsWith('.md') || file.endsWith('.html') || !existsSync(join(docs, file)));
}

/** The pages are not below the folder in which Vue is installed. */
const vueForPages = {
  name: 'vue-for-pages',
  enforce: 'pre',
  resolveId(id, importer, options) {
    if (!/^vue(\/|$)/.test(id) || importer === undefined || !relative(site, importer).startsWith('..')) return null;
    return this.resolve(id, join(site, 'package.json'), { ...options, skipSelf: true });
  },
};

export default defineConfig({
  title: 'nestjs-rocketmq',
  description: 'Apache RocketMQ 5 for NestJS',
  lang: 'en',
  // Where the site is published: of a project's pages, below its name.
  base: process.env.DOCS_BASE ?? '/',
  srcDir: '../',
  srcExclude: ['site/**', 'examples/**'],
  outDir: './.vitepress/dist',
  cleanUrls: false,
  lastUpdated: false,
  ignoreDeadLinks: false,
  metaChunk: true,
  markdown: {
    // The anchors of a page are the same here and where its source is read.
    anchor: { slugify: slugOf },
    config(markdown) {
      nameFilesOutside(markdown);
      showBraces(markdown);
      drawDiagrams(markdown);
      switchRunners(markdown);
    },
  },
  // Bundled as a whole: the packages of the repository's root have other versions of what Vue needs.
  vite: { plugins: [vueForPages], ssr: { noExternal: true } },
  transformPageData(page) {
    if (page.relativePath === 'index.md') Object.assign(page.frontmatter, home);
  },
  themeConfig: {
    nav: [
      { text: 'Guide', link: '/guide/getting-started' },
      { text: 'Configuration', link: '/reference/configuration' },
      { text: 'Troubleshooting', link: '/guide/troubleshooting' },
      { text: 'API', link: '/reference/api/' },
    ],
    sidebar: [
      ...guides.map(({ text, pages }) => ({
        text,
        items: pages.filter((page) => existsSync(join(docs, page))).map(entry),
      })),
      { text: 'API reference', collapsed: true, items: entryPoints() },
      { text: 'Contributors', collapsed: true, items: [...contributors.map(entry), ...pagesIn(DECISIONS)] },
    ],
    outline: [2, 3],
    search: {
      provider: 'local',
      options: {
        miniSearch,
        _render: (source, env, markdown) =>
          isSearched(env.relativePath) ? markdown.render(source, { ...env, isSearch: true }) : '',
      },
    },
  },
});
