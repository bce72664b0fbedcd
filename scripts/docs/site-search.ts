// Asks the search of a built site what users ask, and reports the questions whose page is not found first.

import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { miniSearch } from './search-options.js';
import { questions } from './search-questions.js';

/**
 * @param site where MiniSearch is installed, as the browser loads it
 * @param output the built site
 */
export async function unanswered(site: string, output: string): Promise<string[]> {
  const MiniSearch = createRequire(join(site, 'package.json'))('minisearch');
  const chunks = join(output, 'assets/chunks');
  const name = readdirSync(chunks).find((file) => file.startsWith('@localSearchIndex')) ?? '';
  const { default: json } = await import(pathToFileURL(join(chunks, name)).href);
  const index = MiniSearch.loadJSON(json, {
    fields: ['title', 'titles', 'text'],
    storeFields: ['title', 'titles'],
    searchOptions: miniSearch.searchOptions,
    ...miniSearch.options,
  });
  return questions.flatMap(([question, page]) => {
    const found: string[] = index.search(question).map(({ id }: { id: string }) => id);
    const first = found[0] ?? 'nothing';
    return first.includes(`${page}.html`) ? [] : [`"${question}" finds ${first}, not ${page}`];
  });
}
