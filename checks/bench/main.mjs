// npm run bench [-- OPTIONS]
// Measures this library beside the clients that one would take instead, on a real server, and prints tables. See checks/bench/README.md.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from '../../scripts/build/build.mjs';

const USAGE = `npm run bench [-- OPTIONS]
  --quick           fewer messages, one round, without what takes long to get (for CI)
  --only send,drain only sections whose names begin so
  --columns a,b     only these columns
  --rounds N        default 3
  --scale F         this share of the messages and seconds, for a try: 0.1
  --long            the backlog of a million messages, too (four minutes more a round)
  --check           instead: whether the CPU time beside the lean loop and Node's client has become more than checks/bench/ratios.json has
  --keep            instead: writes checks/bench/ratios.json
  --growth          instead: how costs grow with the number of groups, topics, messages, processes and brokers (15 minutes); with --only, --quick, --out
  --profile         instead: where the CPU time of this library's send and drain goes, or that of --only and --columns
  --java-version V  of the official Java client
  --out FOLDER      where the report goes; default docs/benchmarks for a whole run of 3 rounds or more, else bench/results`;
const root = join(import.meta.dirname, '../..');

function readOptions() {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      columns: { type: 'string' },
      rounds: { type: 'string' },
      scale: { type: 'string' },
      long: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      growth: { type: 'boolean', default: false },
      'java-version': { type: 'string' },
      out: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  return values;
}

async function main() {
  const options = readOptions();
  if (options.help) return print(USAGE);
  const stopped = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stopped.abort(new Error('stopped')));
  await build({ names: ['nestjs-rocketmq'] });
  const home = mkdtempSync(join(tmpdir(), 'nestjs-rocketmq-bench-'));
  try {
    const tools = { root, home, log: print, signal: stopped.signal };
    // Only now: they import what was built.
    if (options.growth) await (await import('./growth/run.mjs')).runGrowth(options, tools);
    else await (await import('./run.mjs')).runBenchmark(options, tools);
  } finally {
    rmSync(home, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** @param {string} line */
function print(line) {
  process.stdout.write(`${line}\n`);
}

main().catch((error) => {
  process.stderr.write(`${error.stack ?? error}\n`);
  process.exitCode = 1;
});
