// `npm run check NAME [-- OPTIONS]`: runs a check. Its last line is `N passed, N failed`, its exit code 0 when nothing has failed, 1 when
// something has, 2 when the command line is wrong. `npm run check -- --list` has their names.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RealServerError } from '../libs/rocketmq/src/cli/server/jars.js';
import type { Check, Counts } from './check.js';
import { CHECKS } from './checks.js';
import { helpOf, OptionError, valuesIn } from './options.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** For what a check has started to end, after a signal. */
const STOP_MS = 30_000;
const STOPPED_EXIT_CODE = 130;
/** The simulation replaces timers by its own. */
const later = setTimeout;

const print = (line: string): void => void process.stdout.write(`${line}\n`);

function list(): void {
  const width = Math.max(...CHECKS.map(({ name }) => name.length));
  print('npm run check NAME [-- OPTIONS]; NAME -- --help has the options');
  for (const { name, says, needs } of CHECKS) {
    print(`  ${name.padEnd(width)}  ${says}${needs === undefined ? '' : ` (needs ${needs})`}`);
  }
}

function help({ name, says, needs, options, rest }: Check): void {
  print(`npm run check ${name} [-- OPTIONS]${rest === undefined ? '' : ` [${rest}]`}`);
  print(`${says}${needs === undefined ? '' : `; needs ${needs}`}`);
  for (const line of helpOf(options)) print(line);
}

/** Aborted by the first signal. What has not ended a while after it is ended. */
function stoppedBySignals(folder: string): AbortSignal {
  const stopped = new AbortController();
  const stop = (why: string): void => {
    if (stopped.signal.aborted) return;
    stopped.abort(new Error(why));
    later(() => {
      rmSync(folder, { recursive: true, force: true });
      process.exit(STOPPED_EXIT_CODE);
    }, STOP_MS).unref();
  };
  for (const signal of SIGNALS) process.on(signal, () => stop(`stopped by ${signal}`));
  process.stdout.on('error', () => stop('nobody reads what it prints'));
  return stopped.signal;
}

async function runIn(folder: string, check: Check, args: readonly string[], signal: AbortSignal): Promise<Counts> {
  const { values, rest } = valuesIn(check.options, args, check.rest !== undefined);
  try {
    return await check.run(values, { signal, folder, print, rest });
  } catch (error) {
    if (error instanceof OptionError) throw error;
    // A stop is no fault of the program, nor is Java that is missing; what had been started ends with other errors then.
    if (signal.aborted) process.stderr.write(`${signal.reason.message}\n`);
    else if (error instanceof RealServerError) process.stderr.write(`${error.message}\n`);
    else process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    return { passed: 0, failed: 1 };
  }
}

async function main(args: readonly string[]): Promise<number> {
  const [name, ...own] = args;
  if (name === undefined || name === '--list' || name === '--help') {
    list();
    return name === undefined ? 2 : 0;
  }
  const check = CHECKS.find((one) => one.name === name);
  if (check === undefined)
    throw new OptionError(`there is no check "${name}", but ${CHECKS.map((one) => one.name).join(', ')}`);
  if (own.includes('--help')) {
    help(check);
    return 0;
  }
  const folder = mkdtempSync(join(tmpdir(), `check-${name}-`));
  const signal = stoppedBySignals(folder);
  let isKept = false;
  try {
    const { passed, failed } = await runIn(folder, check, own, signal);
    isKept = failed > 0 && check.keepsFolder === true && !signal.aborted;
    if (isKept) print(`kept: ${folder}`);
    print(`${passed} passed, ${failed} failed`);
    return failed === 0 ? 0 : 1;
  } finally {
    if (!isKept) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

main(process.argv.slice(2)).then(
  // What is left of broken connections is of no interest any more.
  (code) => process.exit(code),
  (error) => {
    process.stderr.write(`${error instanceof OptionError ? error.message : error.stack}\n`);
    process.exit(error instanceof OptionError ? 2 : 1);
  },
);
