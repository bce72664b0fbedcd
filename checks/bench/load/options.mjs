// The options of `npm run load`, and what it measures with them. Nothing runs here.

import { parseArgs } from 'node:util';
import { rotated } from '../lib/rounds.mjs';

/** Where the messages go. `embedded` is flushed once a second, as the real server's store is; `embedded-sync` before each answer. */
export const BACKENDS = ['embedded', 'embedded-sync', 'rocketmq'];
const DATABASES = ['postgres', 'pglite'];
const MOST_INSTANCES = 16;

export const USAGE = `npm run load [-- OPTIONS]
Orders per second that order-demo and inventory-demo sustain, and how long it takes from POST to reserved. See checks/bench/load/README.md.
  --backend a,b      of ${BACKENDS.join(', ')}; default embedded,rocketmq
  --instances 1,2,4  how many inventory-demo there are in their consumer group, one figure each
  --database D       ${DATABASES.join(' or ')}; default postgres where it is installed. PGlite serves one process: one instance
  --seconds S        of each rate that is tried; default 10
  --limit MS         a rate is sustained when 99 of 100 orders are done within this time; default 1000
  --rate R           orders per second of the comparison at one rate; default 20
  --clients N        most requests at a time; default 64
  --products N       among which the orders are spread; default 100. Orders of one product wait for each other
  --rounds N         default 1
  --profile          also profiles both demos at --rate: the CPU time of an order by part
  --quick            half a minute, for CI: embedded, 1 and 2 instances, few seconds each
  --out FOLDER       where load.json goes; default bench/results`;

/** What was asked for is not possible. */
export class OptionError extends Error {}

/**
 * @typedef {{ backend: string, instances: number }} Setup
 *
 * @typedef {object} LoadPlan
 * @property {readonly Setup[]} setups
 * @property {'postgres' | 'pglite'} database
 * @property {number} rounds
 * @property {number} seconds
 * @property {number} warmUpSeconds
 * @property {number} coldSeconds of the first warm-up of a server that compiles what is hot while it runs
 * @property {number} limitMs
 * @property {number} rate
 * @property {number} clients
 * @property {number} products
 * @property {number} mostTries of rates, a setup
 * @property {boolean} isProfiled
 * @property {string | undefined} out
 * @property {readonly string[]} notes what is left out, and why
 */

/**
 * @param {readonly string[]} args
 * @param {{ hasPostgres: boolean }} here
 * @returns {LoadPlan | 'help'}
 * @throws OptionError that names it
 */
export function planOf(args, { hasPostgres }) {
  const values = valuesIn(args);
  if (values.help) return 'help';
  const { quick, out } = values;
  /** @param {'seconds' | 'limit' | 'rate' | 'clients' | 'products' | 'rounds'} name @param {number} otherwise @param {number} most */
  const count = (name, otherwise, most) => wholeNumber(`--${name}`, values[name] ?? String(otherwise), most);
  const database = databaseOf(values.database, hasPostgres);
  const { instances, notes } = instancesOf(values.instances ?? (quick ? '1,2' : '1,2,4'), database, values.database);
  const backends = oneOrMore('--backend', values.backend ?? (quick ? 'embedded' : 'embedded,rocketmq'), BACKENDS);
  const seconds = count('seconds', quick ? 3 : 10, 3_600);
  const limitMs = count('limit', 1_000, 60_000);
  // Orders that wait ever longer do not pass the limit before.
  if (seconds * 1_000 <= limitMs) {
    throw new OptionError(`--seconds ${seconds}: a try has to last longer than the limit of ${limitMs} ms`);
  }
  return {
    setups: backends.flatMap((backend) => instances.map((one) => ({ backend, instances: one }))),
    database,
    notes,
    rounds: count('rounds', 1, 100),
    seconds,
    warmUpSeconds: quick ? 1 : 5,
    coldSeconds: quick ? 1 : 25,
    limitMs,
    rate: count('rate', 20, 10_000),
    clients: count('clients', 64, 1_000),
    products: count('products', 100, 1_000),
    mostTries: quick ? 2 : 9,
    isProfiled: values.profile,
    out,
  };
}

/** @param {readonly string[]} args */
function valuesIn(args) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        backend: { type: 'string' },
        instances: { type: 'string' },
        database: { type: 'string' },
        seconds: { type: 'string' },
        limit: { type: 'string' },
        rate: { type: 'string' },
        clients: { type: 'string' },
        products: { type: 'string' },
        rounds: { type: 'string' },
        profile: { type: 'boolean', default: false },
        quick: { type: 'boolean', default: false },
        out: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (cause) {
    throw new OptionError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** @returns {'postgres' | 'pglite'} */
function databaseOf(/** @type {string | undefined} */ given, /** @type {boolean} */ hasPostgres) {
  if (given === undefined) return hasPostgres ? 'postgres' : 'pglite';
  const [database] = oneOrMore('--database', given, DATABASES);
  if (given === 'postgres' && !hasPostgres) {
    throw new OptionError('--database postgres: it is not installed (Debian: apt-get install postgresql)');
  }
  return /** @type {'postgres' | 'pglite'} */ (database);
}

/** PGlite lives in the process that uses it: two instances would have two stocks. */
function instancesOf(/** @type {string} */ given, /** @type {string} */ database, /** @type {unknown} */ isChosen) {
  const wanted = [...new Set(given.split(',').map((one) => wholeNumber('--instances', one, MOST_INSTANCES)))];
  if (database === 'postgres') return { instances: wanted, notes: [] };
  const why = isChosen === undefined ? 'PostgreSQL is not installed (Debian: apt-get install postgresql)' : 'asked for';
  const left = wanted.filter((one) => one !== 1);
  const notes = [`on PGlite (${why})`];
  if (left.length > 0) notes.push(`only one instance, not ${left.join(' or ')}: PGlite serves one process`);
  return { instances: [1], notes };
}

/** @param {string} name @param {string} given @param {number} most */
function wholeNumber(name, given, most) {
  const value = Number(given);
  if (given.trim() !== '' && Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new OptionError(`${name} must be an integer from 1 to ${most}, not "${given}"`);
}

/** @param {string} name @param {string} given @param {readonly string[]} known @returns {string[]} each once */
function oneOrMore(name, given, known) {
  const named = [...new Set(given.split(','))];
  const unknown = named.find((one) => !known.includes(one));
  if (unknown !== undefined) throw new OptionError(`${name} knows ${known.join(', ')}, not "${unknown}"`);
  return named;
}

/** What runs in which order: each round begins with another one. @param {LoadPlan} plan @returns {(Setup & { round: number })[]} */
export function scheduleOf({ setups, rounds }) {
  return Array.from({ length: rounds }, (_, round) => rotated(setups, round).map((one) => ({ ...one, round }))).flat();
}
