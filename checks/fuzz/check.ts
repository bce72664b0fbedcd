// The fuzz, as `npm run check fuzz` knows it.

import { check } from '../check.js';
import { type Options, SEED } from '../options.js';

const OPTIONS = {
  long: { type: 'flag', says: 'more requests, and more callers that finish none' },
  requests: { type: 'integer', says: 'how many are sent (default: 20000, or 150000 with --long)' },
  seed: SEED,
} as const satisfies Options;

export const FUZZ_CHECK = check({
  name: 'fuzz',
  says: 'the embedded broker survives hostile requests, serves a good client meanwhile and keeps no memory',
  judges: ['libs/rocketmq'],
  options: OPTIONS,
  run: async (values, tools) => (await import('./main.js')).runFuzz(values, tools),
});
