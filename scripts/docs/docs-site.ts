// npm run docs:site [-- --skip-reference]
// Builds the documentation site: the API reference from the sources, the pages in docs/, a search that needs no server. Fails on a
// link that leads nowhere, and on a question of search-questions.ts whose page the search does not find first. What it builds with is installed in docs/site, at the first time and when its lock file has changed.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { deadLinks, documents, root } from '../../tools/documents.js';
import { checkSite } from './site-links.js';
import { unanswered } from './site-search.js';

const site = join(root, 'docs/site');
const output = join(site, '.vitepress/dist');

async function run(command: string, args: string[]): Promise<void> {
  const child = spawn(command, args, { cwd: site, stdio: ['ignore', 'inherit', 'inherit'] });
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}`);
}

async function install(): Promise<void> {
  const mark = join(site, 'node_modules/.installed');
  const wanted = createHash('sha256')
    .update(readFileSync(join(site, 'package-lock.json')))
    .digest('hex');
  if (existsSync(mark) && readFileSync(mark, 'utf8') === wanted) return;
  await run('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts']);
  writeFileSync(mark, wanted);
}

/** @param path below docs/site/node_modules */
function tool(path: string, ...args: string[]): Promise<void> {
  return run(process.execPath, [join(site, 'node_modules', path), ...args]);
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { 'skip-reference': { type: 'boolean', default: false } } });
  await install();
  if (!values['skip-reference']) {
    rmSync(join(root, 'docs/reference/api'), { recursive: true, force: true });
    await tool('typedoc/bin/typedoc', '--options', join(site, 'typedoc.json'));
  }
  await tool('vitepress/bin/vitepress.js', 'build', site);
  const { pages, links, dead } = checkSite(output);
  const inSources = documents().flatMap((document) => deadLinks(document).map((link) => `${document}: ${link}`));
  for (const line of [...dead, ...inSources]) process.stderr.write(`dead link: ${line}\n`);
  const notFound = await unanswered(site, output);
  for (const line of notFound) process.stderr.write(`search: ${line}\n`);
  process.stdout.write(`${pages} pages, ${links} links, ${dead.length + inSources.length} dead, in ${output}\n`);
  if (pages === 0 || dead.length + inSources.length + notFound.length > 0) process.exitCode = 1;
}

await main();
