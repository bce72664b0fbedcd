// The page of all options, docs/reference/configuration.md, from the types. How types are read is option-tables.ts.

import { join } from 'node:path';
import { root } from '../../tools/documents.js';
import { entryPoints, type OptionType, optionTypes } from './option-tables.js';

export const CONFIGURATION = join(root, 'docs/reference/configuration.md');

/** Of a line of the page. */
const WIDTH = 140;

const INTRODUCTION = `# Configuration

Every option of every public type, by entry point. \`npm run docs\` generates this page from the types.

- Options that end with \`Ms\` are milliseconds, those that end with \`Bytes\` are bytes. Defaults may be written shorter, as 30 s or 64 MiB.
- The module and its listeners reject unknown options and values of another type at startup, with an \`ILLEGAL_OPTION\` error that names the
  option.
- \`endpoints\` is the only option that the module requires. The module reads no environment variables: your application decides where the
  value comes from. The demo reads \`ROCKETMQ_ENDPOINTS\`.
- A listener's settings come from, in increasing precedence: the built-in default, \`defaults\` of the module, the decorator,
  \`listeners[name]\` of the module. \`undefined\` never overrides. The server's limits are checked, and override nothing.
`;

export function configurationPage(types: readonly OptionType[] = optionTypes()): string {
  const parts = [INTRODUCTION];
  for (const entry of entryPoints().keys()) {
    const own = types.filter(({ entries }) => entries[0] === entry).sort((a, b) => (a.name < b.name ? -1 : 1));
    if (own.length === 0) continue;
    parts.push(`## \`${entry}\`\n`, ...own.map((type) => section(type, types)));
  }
  return `${parts.join('\n').trimEnd()}\n`;
}

/**
 * What an option lacks: each must say what it is for, with its default when it may be left out, and its unit when it is a number.
 */
export function shortcomings(types: readonly OptionType[]): string[] {
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

function section({ name, entries, text, bases, options }: OptionType, types: readonly OptionType[]): string {
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
  if (options.length > 0) lines.push(...options.map((option) => item(option, types)), '');
  return lines.join('\n');
}

function item(
  { name, type, unit, isOptional, default: fallback = '', text }: OptionType['options'][number],
  types: readonly OptionType[],
): string {
  const parts = [
    `**\`${name}\`** (${[`\`${type}\``, unit, isOptional ? '' : '**required**'].filter((part) => part !== '').join(', ')}):`,
    escaped(text),
    linksTo(type, types),
    isOptional && fallback !== '' ? `_Default:_ ${escaped(fallback).replace(/\.$/, '')}.` : '',
  ];
  return wrapped(`- ${parts.filter((part) => part !== '').join(' ')}`);
}

/** Breaks a list item into lines, at spaces outside of code. */
function wrapped(text: string): string {
  const words = text.match(/(?:`[^`]*`|[^\s`])+/g) ?? [];
  const lines = [''];
  for (const word of words) {
    const line = lines.at(-1) ?? '';
    if (line === '') lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= WIDTH) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(`  ${word}`);
  }
  return lines.join('\n');
}

/** Where the options of an option are. */
function linksTo(type: string, types: readonly OptionType[]): string {
  const named = types.filter(({ name }) => new RegExp(`\\b${name}\\b`).test(type));
  return named.length === 0 ? '' : `See ${named.map(({ name }) => `[${name}](#${name.toLowerCase()})`).join(', ')}.`;
}

/** Outside of code, what looks like HTML is text. */
function escaped(text: string): string {
  return text
    .split(/(`[^`]*`)/)
    .map((part) => (part.startsWith('`') ? part : part.replaceAll('<', '&lt;').replaceAll('*', '\\*')))
    .join('');
}
