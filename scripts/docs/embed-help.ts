// Writes the help of the command line into its guide, between the marks `<!-- help: topic list -->`, for each command.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../libs/rocketmq/src/cli/main.js';
import { HELP_BLOCKS, helpInGuide } from './guide-help.js';

const root = join(import.meta.dirname, '../..');
const GUIDE = join(root, 'docs/guide/command-line.md');

/** @param path the words of a command */
async function helpOf(path: string): Promise<string> {
  let help = '';
  const write = (text: string) => {
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

export async function embedHelp(): Promise<void> {
  const text = readFileSync(GUIDE, 'utf8');
  const helps = new Map<string, string>();
  for (const [, , path = ''] of text.matchAll(HELP_BLOCKS)) helps.set(path, await helpOf(path));
  const updated = text.replace(HELP_BLOCKS, (_, head, path) => `${head}${helps.get(path)}\`\`\``);
  if (updated !== text) writeFileSync(GUIDE, updated);
}
