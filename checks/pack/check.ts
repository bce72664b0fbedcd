// The packed library in projects as users have them.

import { check } from '../check.js';
import type { Options } from '../options.js';

const OPTIONS = {
  only: { type: 'list', says: 'projects and checks whose names begin so (default: all)' },
  keep: { type: 'text', value: 'FOLDER', says: 'leaves the projects there' },
} as const satisfies Options;

export const PACK_CHECK = check({
  name: 'pack',
  says: 'the packed library and console install and work in projects as users have them: Nest 10 to 12, CommonJS and ESM, bundlers',
  judges: ['libs', 'docs/examples'],
  needs: 'a package registry',
  options: OPTIONS,
  run: async (values, tools) => (await import('./main.js')).runPack(values, tools),
});
