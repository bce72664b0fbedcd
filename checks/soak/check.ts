// The soak, as `npm run check soak` knows it.

import { check } from '../check.js';
import type { Options } from '../options.js';

const OPTIONS = {
  long: { type: 'flag', says: 'twice the restarts, ten times the messages, twenty times the clients' },
  transport: {
    type: 'choice',
    among: ['http2', 'remoting'],
    default: 'http2',
    says: 'remoting takes a real broker, reached without a proxy',
  },
} as const satisfies Options;

export const SOAK_CHECK = check({
  name: 'soak',
  says: 'restarts, clients and messages over a long time leave no heap and no handles behind',
  judges: ['libs/rocketmq'],
  needs: 'Java for --transport remoting',
  options: OPTIONS,
  run: async (values, tools) => (await import('./main.js')).runSoak(values, tools),
});
