// The page of all options, docs/reference/configuration.md, from the types. How types are read is option-tables.mjs.

import { join } from 'node:path';
import { root } from './documents.mjs';
import { entryPoints, optionTypes } from './option-tables.mjs';

/** @typedef {import('./option-tables.mjs').OptionType} OptionType */

export const CONFIGURATION = join(root, 'docs/reference/configuration.md');

const INTRODUCTION = `# Configuration

Every option of every public type, by entry point. This page is made from the types: \`npm run docs\` writes it, a test compares it.

- **Unit**: options that end with \`Ms\` are milliseconds, those that end with \`Bytes\` are bytes. In the column \`Default\`, times and sizes
  may be written shorter, as 30 s or 64 MiB.
- The module and its listeners refuse what they do not know, and values of another type, at start, with an error that names the option:
  \`ILLEGAL_OPTION\`.
- The module of Nest reads no environment variable. \`endpoints\` is the only option that it needs; what your application reads it from is
  your choice. The demo reads \`ROCKETMQ_ENDPOINTS\`.
- What is decided where: built-in default < \`defaults\` of the module < decorator < \`listeners[name]\` of the module. \`undefined\` never
  overrides. Limits of the server only check.
`;

/** @param {readonly OptionType[]} [types] */
export function configurationPage(types = optionTypes()) {
  const parts = [INTRODUCTION];
  for (const entry of entryPoints().keys()) {
    const own = types.filter(({ entries }) => entries[0] === entry).sort((a, b) => (a.name < b.name ? -1 : 1));
    if (own.length === 0) continue;
    parts.push(`## \`${entry}\`\n`, ...own.map((type) => section(type, types)));
  }
  return `${parts.join('\n').trimEnd()}\n`;
}

/** What an option lacks: each must say what it is for, with its default when it may be left out, and its unit when it is a number. */
export function shortcomings(/** @type {readonly OptionType[]} */ types) {
  return types.flatMap(({ name, options }) =>
    options.flatMap((option) => {
      const lacks = [
        option.isOptional && option.default === undefined ? 'default' : '',
        option.unit === '?' ? 'unit' : '',
        option.text === '' && option.default === undefined ? 'text' : '',
      ].filter((what) => what !== '');
      return lacks.map((what) => `${name}.${option.name} has no ${what}`);
    }),
  );
}

/** @param {OptionType} type @param {readonly OptionType[]} types */
function section({ name, entries, text, bases, options }, types) {
  const lines = [`### ${name}\n`];
  if (text !== '') lines.push(`${escaped(text)}\n`);
  if (entries.length > 1)
    lines.push(
      `Also from ${entries
        .slice(1)
        .map((entry) => `\`${entry}\``)
        .join(', ')}.\n`,
    );
  const links = bases.map((base) => `[${base}](#${base.toLowerCase()})`);
  if (links.length > 0)
    lines.push(`${options.length > 0 ? 'Besides those below, all' : 'All'} options of ${links.join(', ')}.\n`);
  if (options.length > 0) lines.push(table(options, types), '');
  return lines.join('\n');
}

/** @param {OptionType['options']} options @param {readonly OptionType[]} types */
function table(options, types) {
  const rows = options.map((option) => [
    `\`${option.name}\``,
    cell(`\`${option.type}\``),
    option.unit,
    option.isOptional ? cell(escaped(option.default ?? '')) : '**required**',
    cell(`${escaped(option.text)}${linksTo(option.type, types)}`.trim()),
  ]);
  const head = ['Option', 'Type', 'Unit', 'Default', 'What it does'];
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (/** @type {string[]} */ cells) =>
    `| ${cells.map((text, i) => text.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

/** Where the options of an option are. @param {string} type @param {readonly OptionType[]} types */
function linksTo(type, types) {
  const named = types.filter(({ name }) => new RegExp(`\\b${name}\\b`).test(type));
  return named.length === 0 ? '' : ` See ${named.map(({ name }) => `[${name}](#${name.toLowerCase()})`).join(', ')}.`;
}

/** Outside of code, what looks like HTML is text. @param {string} text */
function escaped(text) {
  return text
    .split(/(`[^`]*`)/)
    .map((part) => (part.startsWith('`') ? part : part.replaceAll('<', '&lt;').replaceAll('*', '\\*')))
    .join('');
}

/** @param {string} text */
function cell(text) {
  return text.replaceAll('|', '\\|');
}
