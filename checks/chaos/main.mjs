// npm run chaos [-- --backend embedded|rocketmq] [-- --transport remoting] [-- --database pglite|postgresql|mariadb|mysql] [-- --seed N]
//   [-- --long [MINUTES]]
// Orders from concurrent customers through both demos, while their processes and the server's are killed, stopped and restarted and
// their ways to the server go bad: checks/chaos/README.md says how. By default on the embedded broker and on a real server with a proxy;
// `--transport remoting` takes real brokers without one. The demos keep their data in PGlite, or on a server that the run starts. One minute or so a backend; --long ten and more. Fails with exit
// code 1 and says what did not hold. The seed repeats what is decided, not what comes of it. The folder of a failed run is kept.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from '../../scripts/build/build.mjs';
import { DATABASE_NAMES } from './databases.ts';
import { run } from './run.ts';
import { recoveryTable, runViolations, summary } from './verdict.ts';

/**
 * @typedef {import('./servers.ts').Backend} Backend
 * @typedef {import('./run.ts').RunOptions} RunOptions
 */

/** @type {ReadonlyMap<string, readonly Backend[]>} */
const BY_TRANSPORT = new Map([
  ['http2', ['embedded', 'rocketmq']],
  ['remoting', ['remoting']],
]);
const ROUNDS = 1;
const LONG_ROUNDS = 10;
const SHOWN = 20;

/** @throws Error that names the option */
function settings() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      backend: { type: 'string' },
      transport: { type: 'string', default: 'http2' },
      database: { type: 'string', default: 'pglite' },
      seed: { type: 'string' },
      long: { type: 'boolean', default: false },
    },
  });
  const { backend, long, transport } = values;
  const ofTransport = BY_TRANSPORT.get(transport);
  if (ofTransport === undefined) {
    throw new Error(`--transport is one of ${[...BY_TRANSPORT.keys()].join(', ')}, not "${transport}"`);
  }
  const backends = backend === undefined ? ofTransport : ofTransport.filter((one) => one === backend);
  if (backends.length === 0) {
    throw new Error(`--backend is one of ${ofTransport.join(', ')}, not "${backend}"; without it all are run`);
  }
  const database = DATABASE_NAMES.find((one) => one === values.database);
  if (database === undefined) {
    throw new Error(`--database is one of ${DATABASE_NAMES.join(', ')}, not "${values.database}"`);
  }
  const seed = wholeNumber('seed', values.seed ?? String(Date.now() % 1_000_000), 0);
  const [minutes, ...more] = positionals;
  if (more.length > 0 || (minutes !== undefined && !long)) throw new Error(`unknown: ${positionals.join(' ')}`);
  const rounds = long ? wholeNumber('long', minutes ?? String(LONG_ROUNDS), 1) : ROUNDS;
  return { backends, database, seed, rounds, withLongStops: long };
}

/** @param {string} name @param {string} text @param {number} least */
function wholeNumber(name, text, least) {
  if (/^\d{1,9}$/.test(text) && Number(text) >= least) return Number(text);
  throw new Error(`--${name} must be an integer of at least ${least}, not "${text}"`);
}

async function main() {
  const { backends, ...options } = settings();
  const stopped = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, () => stopped.abort(new Error(`stopped by ${signal}`)));
  }
  await build();
  print(
    `seed ${options.seed}, ${options.rounds} ${options.rounds === 1 ? 'minute' : 'minutes'} on ${backends.join(' and ')}, data on ${options.database}`,
  );
  for (const backend of backends) {
    if (!(await runOn(backend, options, stopped.signal))) process.exitCode = 1;
  }
}

/**
 * @param {Backend} backend @param {Pick<RunOptions, 'database' | 'seed' | 'rounds' | 'withLongStops'>} options @param {AbortSignal} signal
 * @returns {Promise<boolean>} whether it was sound
 */
async function runOn(backend, options, signal) {
  const folder = mkdtempSync(join(tmpdir(), 'chaos-'));
  const beganAt = performance.now();
  const log = (/** @type {string} */ line) =>
    print(`${backend} ${((performance.now() - beganAt) / 1_000).toFixed(0).padStart(4)} s  ${line}`);
  try {
    const result = { ...(await run({ backend, ...options, folder, log, signal })), rounds: options.rounds };
    const violations = runViolations(result);
    for (const line of recoveryTable(result.struck)) print(`${backend} ${line}`);
    for (const violation of violations.slice(0, SHOWN)) process.stderr.write(`${violation}\n`);
    if (violations.length > 0) keep(folder, result);
    const seconds = ((performance.now() - beganAt) / 1_000).toFixed(0);
    const verdict = violations.length === 0 ? 'sound' : `NOT SOUND (${violations.length}), folder ${folder} kept`;
    print(`${backend}, ${options.database}: ${seconds} s, seed ${options.seed}: ${summary(result)}: ${verdict}`);
    if (violations.length === 0) rmSync(folder, { recursive: true, force: true });
    return violations.length === 0;
  } catch (error) {
    if (signal.aborted) {
      rmSync(folder, { recursive: true, force: true });
      throw signal.reason;
    }
    process.stderr.write(`${backend}: broke off; logs in ${folder}\n`);
    throw error;
  }
}

/** @param {string} folder @param {import('./run.ts').RunResult} result */
function keep(folder, result) {
  const facts = { ...result.facts, totals: Object.fromEntries(result.facts.totals) };
  writeFileSync(join(folder, 'facts.json'), JSON.stringify({ ...result, facts }, undefined, 1));
}

/** @param {string} line */
function print(line) {
  process.stdout.write(`[chaos] ${line}\n`);
}

main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
