// The races on database servers, as `npm run check databases` knows them.

import { check } from '../check.js';
import { type Options, SEED } from '../options.js';

const OPTIONS = {
  transactions: { type: 'integer', default: 20_000, says: 'how many begin at each isolation level' },
  seed: SEED,
  only: { type: 'list', among: ['postgresql', 'mariadb', 'mysql'], says: 'only these servers' },
} as const satisfies Options;

export const DATABASES_CHECK = check({
  name: 'databases',
  says: 'local transactions, checks and kills race on each database server at each isolation level, and agree',
  judges: ['libs/rocketmq'],
  needs: 'PostgreSQL, MariaDB, MySQL; a server that is not installed is left out',
  options: OPTIONS,
  run: async (values, tools) => (await import('./main.js')).runDatabases(values, tools),
});
