// The pages in a real browser.

import { type Counts, check, type Tools } from '../check.js';

/** A variable, so that the tsconfig.json of the repository does not follow the import: only that of this folder knows the types of a page. */
const MAIN = './main.js';

interface Main {
  runBrowser(tools: Tools): Promise<Counts>;
}

export const BROWSER_CHECK = check({
  name: 'browser',
  says: 'the page of the demo and the console work in a headless Chromium, on the embedded broker and on a real server',
  judges: ['libs', 'apps', 'scripts'],
  needs: 'Chromium, Java',
  options: {},
  run: async (_values, tools) => ((await import(MAIN)) as Main).runBrowser(tools),
});
