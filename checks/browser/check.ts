// The pages in a real browser.

import { type Counts, check, type Tools } from '../check.js';
import type { Options, Values } from '../options.js';

export const OPTIONS = {} as const satisfies Options;

/** A variable, so that the tsconfig.json of the repository does not follow the import: only that of this folder knows the types of a page. */
const MAIN = './main.js';

interface Main {
  runBrowser(values: Values<typeof OPTIONS>, tools: Tools): Promise<Counts>;
}

export const BROWSER_CHECK = check({
  name: 'browser',
  says: 'the page of the demo and the console work in a headless Chromium, on the embedded broker and on a real server',
  judges: ['libs', 'apps', 'scripts'],
  needs: 'Chromium, Java',
  options: OPTIONS,
  run: async (values, tools) => ((await import(MAIN)) as Main).runBrowser(values, tools),
});
