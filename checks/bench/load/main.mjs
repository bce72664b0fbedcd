// npm run load [-- OPTIONS]
// Orders per second that the two demos sustain, and how long it takes from POST to reserved. See checks/bench/load/README.md.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from '../../../scripts/build/build.mjs';
import { postgresFolder } from '../../../tools/servers/postgres-server.ts';
import { OptionError, planOf, USAGE } from './options.mjs';

const root = join(import.meta.dirname, '../../..');

class Stopped extends Error {
  constructor() {
    super('stopped');
  }
}

async function main() {
  const plan = planOf(process.argv.slice(2), { hasPostgres: postgresFolder() !== undefined });
  if (plan === 'help') return print(USAGE);
  const stopped = new AbortController();
  const stop = () => stopped.abort(new Stopped());
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop);
  // Whoever read this is gone.
  process.stdout.on('error', stop);
  await build();
  const home = mkdtempSync(join(tmpdir(), 'nestjs-rocketmq-load-'));
  try {
    // Only now: it imports what was built.
    const { runLoad } = await import('./run.mjs');
    const isGood = await runLoad(plan, { root, home, log: print, signal: stopped.signal });
    if (!isGood) process.exitCode = 1;
  } catch (error) {
    // What was being started was ended by the same Ctrl-C.
    throw stopped.signal.aborted ? stopped.signal.reason : error;
  } finally {
    rmSync(home, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** @param {string} line */
function print(line) {
  process.stdout.write(`${line}\n`);
}

main().catch((error) => {
  // Neither is a fault of this program.
  const isPlain = error instanceof Stopped || error instanceof OptionError;
  process.stderr.write(`${isPlain ? error.message : error.stack}\n`);
  process.exitCode = 1;
});
