// Chaos, as `npm run check chaos` knows it.

import { DEFAULT_VERSION } from '../../libs/rocketmq/src/cli/server/jars.js';
import { check } from '../check.js';
import { type Options, SEED } from '../options.js';
import type { DatabaseName } from './databases.js';
import type { Backend } from './servers.js';

const BACKENDS = ['embedded', 'rocketmq', 'remoting'] as const satisfies readonly Backend[];
const DATABASES = ['pglite', 'postgresql', 'mariadb', 'mysql'] as const satisfies readonly DatabaseName[];

const OPTIONS = {
  transport: {
    type: 'choice',
    among: ['http2', 'remoting'],
    default: 'http2',
    says: 'remoting takes real brokers without a proxy',
  },
  version: {
    type: 'text',
    value: 'VERSION',
    default: DEFAULT_VERSION,
    says: 'of the real server; by remoting also older ones (4.9.7 and 4.5.2 are tested)',
  },
  backend: { type: 'choice', among: BACKENDS, says: 'only this one (default: all of the transport)' },
  database: { type: 'choice', among: DATABASES, default: 'pglite', says: 'where the demos keep their data' },
  long: { type: 'flag', says: 'ten minutes on each backend, and stops that outlast a lease' },
  rounds: { type: 'integer', says: 'minutes on each backend (default: 1, or 10 with --long)' },
  seed: SEED,
} as const satisfies Options;

export const CHAOS_CHECK = check({
  name: 'chaos',
  says: 'every order through both demos is explained while processes, servers and connections fail',
  judges: ['libs/rocketmq', 'libs/demo-kit', 'apps', 'scripts'],
  needs: 'Java unless --backend embedded; the server of --database',
  options: OPTIONS,
  keepsFolder: true,
  run: async (values, tools) => (await import('./main.js')).runChaos(values, tools),
});
