// What a load measures with its options. Nothing runs here.

import { OptionError } from '../../options.js';
import { rotated } from '../lib/rounds.js';

export interface Setup {
  readonly backend: string;
  readonly instances: number;
}

export interface LoadPlan {
  readonly setups: readonly Setup[];
  readonly database: 'postgres' | 'pglite';
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** Of the first warm-up of a server that compiles what is hot while it runs. */
  readonly coldSeconds: number;
  readonly limitMs: number;
  readonly rate: number;
  readonly clients: number;
  readonly products: number;
  /** Of rates, for a setup. */
  readonly maxTries: number;
  readonly isProfiled: boolean;
  readonly out: string | undefined;
  /** What is left out, and why. */
  readonly notes: readonly string[];
}

export interface LoadValues {
  readonly backend: readonly string[] | undefined;
  readonly instances: readonly string[] | undefined;
  readonly database: LoadPlan['database'] | undefined;
  readonly seconds: number | undefined;
  readonly limit: number;
  readonly rate: number;
  readonly clients: number;
  readonly products: number;
  readonly rounds: number;
  readonly profile: boolean;
  readonly quick: boolean;
  readonly out: string | undefined;
}

/** @throws OptionError that names what is not possible */
export function planOf(values: LoadValues, { hasPostgres }: { readonly hasPostgres: boolean }): LoadPlan {
  const { quick, limit: limitMs, rounds, rate, clients, products, profile, out } = values;
  const { seconds = quick ? 3 : 10, backend = quick ? ['embedded'] : ['embedded', 'rocketmq'] } = values;
  const database = databaseOf(values.database, hasPostgres);
  const { instances, notes } = instancesOf(values, database);
  // Orders that wait ever longer do not pass the limit before.
  if (seconds * 1_000 <= limitMs) {
    throw new OptionError(`--seconds ${seconds}: a try has to last longer than the limit of ${limitMs} ms`);
  }
  return {
    setups: backend.flatMap((one) => instances.map((count) => ({ backend: one, instances: count }))),
    database,
    notes,
    rounds,
    seconds,
    warmUpSeconds: quick ? 1 : 5,
    coldSeconds: quick ? 1 : 25,
    limitMs,
    rate,
    clients,
    products,
    maxTries: quick ? 2 : 9,
    isProfiled: profile,
    out,
  };
}

function databaseOf(given: LoadValues['database'], hasPostgres: boolean): 'postgres' | 'pglite' {
  if (given === 'postgres' && !hasPostgres) {
    throw new OptionError('--database postgres: it is not installed (Debian: apt-get install postgresql)');
  }
  return given ?? (hasPostgres ? 'postgres' : 'pglite');
}

/** PGlite lives in the process that uses it: two instances would have two stocks. */
function instancesOf({ instances, database: isChosen, quick }: LoadValues, database: 'postgres' | 'pglite') {
  const wanted = instances?.map(Number) ?? (quick ? [1, 2] : [1, 2, 4]);
  if (database === 'postgres') return { instances: wanted, notes: [] };
  const why = isChosen === undefined ? 'PostgreSQL is not installed (Debian: apt-get install postgresql)' : 'asked for';
  const left = wanted.filter((one) => one !== 1);
  const notes = [`on PGlite (${why})`];
  if (left.length > 0) notes.push(`only one instance, not ${left.join(' or ')}: PGlite serves one process`);
  return { instances: [1], notes };
}

/** What runs in which order: each round begins with another one. */
export function scheduleOf({ setups, rounds }: Pick<LoadPlan, 'setups' | 'rounds'>): (Setup & { round: number })[] {
  return Array.from({ length: rounds }, (_, round) => rotated(setups, round).map((one) => ({ ...one, round }))).flat();
}
