// The crash test, as `npm run check crash` knows it.

import { check } from '../check.js';
import { type Options, SEED } from '../options.js';

const OPTIONS = {
  long: { type: 'flag', says: '250 kills' },
  kills: { type: 'integer', says: 'how often the broker is killed (default: 40, or 250 with --long)' },
  seed: SEED,
} as const satisfies Options;

export const CRASH_CHECK = check({
  name: 'crash',
  says: 'the embedded broker loses nothing from its folder when it is killed at random moments',
  judges: ['libs/rocketmq'],
  options: OPTIONS,
  keepsFolder: true,
  run: async (values, tools) => (await import('./main.js')).runCrash(values, tools),
});
