import { join } from 'node:path';
import { DEFAULT_VERSION } from '../../libs/rocketmq/src/cli/server/jars.js';
import { check, type Tools, verdictOf } from '../check.js';
import type { Options } from '../options.js';
import { JAVA_CLIENT_VERSION } from './lib/rivals.js';

const ONLY = { type: 'list', says: 'only what begins so' } as const;
const OUT = 'where the report goes (default: docs/benchmarks for a whole run, else checks/bench/results)';

const BENCH_OPTIONS = {
  quick: { type: 'flag', says: 'fewer messages, one round, without what takes long to get' },
  only: { ...ONLY, says: 'only sections whose names begin so' },
  columns: { type: 'list', says: 'only these columns' },
  rounds: { type: 'integer', max: 100, says: 'how often (default: 3)' },
  scale: { type: 'number', default: 1, says: 'this share of the messages and seconds, for a try: 0.1' },
  long: {
    type: 'flag',
    says: 'the backlog of a million messages and the Java client on the embedded broker, too (five minutes more a round)',
  },
  profile: {
    type: 'flag',
    says: "instead: where the CPU time of this library's send and drain goes, or that of --only and --columns",
  },
  version: {
    type: 'text',
    value: 'VERSION',
    default: DEFAULT_VERSION,
    says: 'of the real server; on 4.x (4.9.7 is tested) the sections that pull, beside the Java client of 4.x',
  },
  'java-version': {
    type: 'text',
    value: 'VERSION',
    default: JAVA_CLIENT_VERSION,
    says: 'of the official Java client of proxies',
  },
  out: { type: 'text', value: 'FOLDER', says: OUT },
} as const satisfies Options;

const GROWTH_OPTIONS = {
  quick: { type: 'flag', says: 'two points of each line' },
  only: { ...ONLY, says: 'only lines whose names begin so' },
  out: { type: 'text', value: 'FOLDER', says: OUT },
} as const satisfies Options;

const SLOWER_OPTIONS = {
  keep: { type: 'flag', says: 'instead: writes what is compared with, checks/bench/ratios.json' },
} as const satisfies Options;

const RETENTION_OPTIONS = {
  rows: { type: 'integer', default: 10_000_000, says: 'of the transaction log' },
  only: { type: 'list', among: ['postgresql', 'mariadb', 'mysql'], says: 'only these' },
} as const satisfies Options;

const BACKLOG_OPTIONS = {
  messages: { type: 'integer', default: 1_000_000, says: 'of 1 KiB' },
} as const satisfies Options;

/** With the library built: the programs that are measured use it as users do. */
async function built({ folder, print, signal }: Tools) {
  const { build } = await import('../../scripts/build/build.js');
  await build({ names: ['nestjs-rocketmq'] });
  return { root: join(import.meta.dirname, '../..'), home: folder, log: print, signal };
}

const JAVA = 'Java, Maven';

export const BENCH_CHECKS = [
  check({
    name: 'bench',
    says: 'what this library costs beside the clients that one would take instead, on a real server, as tables',
    judges: ['libs/rocketmq', 'checks/bench'],
    needs: JAVA,
    options: BENCH_OPTIONS,
    run: async (values, tools) => {
      const about = await built(tools);
      return verdictOf(await (await import('./run.js')).runBenchmark(values, about));
    },
  }),
  check({
    name: 'slower',
    says: "whether the CPU time beside the lean loop and Node's client has become more than checks/bench/ratios.json has",
    judges: ['libs/rocketmq', 'checks/bench'],
    needs: JAVA,
    options: SLOWER_OPTIONS,
    run: async (values, tools) => {
      const about = await built(tools);
      return verdictOf(await (await import('./run.js')).compareWithKept(values, about));
    },
  }),
  check({
    name: 'growth',
    says: 'how costs grow with the number of groups, topics, messages, processes and brokers',
    judges: ['libs/rocketmq', 'checks/bench'],
    needs: JAVA,
    options: GROWTH_OPTIONS,
    run: async (values, tools) => {
      const about = await built(tools);
      return verdictOf(await (await import('./growth/run.js')).runGrowth(values, about));
    },
  }),
  check({
    name: 'retention',
    says: 'what a transaction log of ten million rows costs: its size, a record beside a purge, the purge',
    judges: ['libs/rocketmq', 'checks/bench'],
    needs: 'PostgreSQL, MariaDB or MySQL',
    options: RETENTION_OPTIONS,
    run: async (values, tools) => (await import('./retention.js')).measureRetention(values, tools),
  }),
  check({
    name: 'backlog',
    says: 'how much memory an embedded broker with a folder takes for a backlog: while it comes in, afterwards, and started again',
    judges: ['libs/rocketmq', 'checks/bench'],
    needs: 'Linux',
    options: BACKLOG_OPTIONS,
    run: async (values, tools) => {
      await built(tools);
      return (await import('./backlog.js')).measureBacklog(values, tools);
    },
  }),
];
