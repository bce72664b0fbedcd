import { check } from '../../check.js';
import type { Options } from '../../options.js';

/** Where the messages go. `embedded` is flushed once a second, as the real server's store is; `embedded-sync` before each answer. */
const BACKENDS = ['embedded', 'embedded-sync', 'rocketmq'] as const;
const MAX_INSTANCES = 16;

const OPTIONS = {
  backend: { type: 'list', among: BACKENDS, says: 'these (default: embedded,rocketmq)' },
  instances: {
    type: 'list',
    among: Array.from({ length: MAX_INSTANCES }, (_, index) => String(index + 1)),
    says: 'how many inventory-demo there are in their consumer group, one figure each (default: 1,2,4)',
  },
  database: {
    type: 'choice',
    among: ['postgres', 'pglite'],
    says: 'default postgres where it is installed; PGlite serves one process, so one instance',
  },
  seconds: { type: 'integer', max: 3_600, says: 'of each rate that is tried (default: 10)' },
  limit: {
    type: 'integer',
    max: 60_000,
    default: 1_000,
    says: 'a rate is sustained when 99 of 100 orders are done within so many milliseconds',
  },
  rate: { type: 'integer', max: 10_000, default: 20, says: 'orders per second of the comparison at one rate' },
  clients: { type: 'integer', max: 1_000, default: 64, says: 'maximum number of requests at a time' },
  products: {
    type: 'integer',
    max: 1_000,
    default: 100,
    says: 'among which the orders are spread; orders of one product wait for each other',
  },
  rounds: { type: 'integer', max: 100, default: 1, says: 'how often' },
  profile: { type: 'flag', says: 'also profiles both demos at --rate: the CPU time of an order by part' },
  quick: { type: 'flag', says: 'half a minute: embedded, 1 and 2 instances, few seconds each' },
  out: { type: 'text', value: 'FOLDER', says: 'where load.json goes (default: checks/bench/results)' },
} as const satisfies Options;

export const LOAD_CHECK = check({
  name: 'load',
  says: 'the orders per second that the demos sustain, and how long it takes from POST to reserved',
  judges: ['libs/rocketmq', 'libs/demo-kit', 'checks/bench', 'apps', 'scripts'],
  needs: 'Java for --backend rocketmq',
  options: OPTIONS,
  run: async (values, tools) => (await import('./main.js')).runLoadCheck(values, tools),
});
