// Writes the help of the command line into its guide, between the marks `<!-- help: topic list -->`, for each command.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from '../build/build.mjs';
import { HELP_BLOCKS, helpInGuide } from './guide-help.mjs';

const root = join(import.meta.dirname, '../..');
const GUIDE = join(root, 'docs/guide/command-line.md');

await build({ names: ['nestjs-rocketmq'] });
const { run } = await import('../../libs/rocketmq/dist/modules/cli/main.js');

/** @param {string} path the words of a command */
async function helpOf(path) {
  let help = '';
  const write = (/** @type {string} */ text) => {
    help += text;
  };
  await run([...path.split(' ').filter((word) => word !== ''), '--help'], {
    out: write,
    err: write,
    env: {},
    version: '',
    closed: new AbortController().signal,
    flushed: async () => {},
    importModule: (specifier) => import(specifier),
  });
  return helpInGuide(help);
}

const text = readFileSync(GUIDE, 'utf8');
/** @type {Map<string, string>} */
const helps = new Map();
for (const [, , path = ''] of text.matchAll(HELP_BLOCKS)) helps.set(path, await helpOf(path));
const updated = text.replace(HELP_BLOCKS, (_, head, path) => `${head}${helps.get(path)}\`\`\``);
if (updated !== text) writeFileSync(GUIDE, updated);
