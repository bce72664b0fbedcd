// The interop run: brokers up, programs side by side, transcripts compared, then the same with a broker spoiled on purpose.
// Its options are those of checks/interop/check.ts.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startEmbeddedBackend, startRealBackend } from './backends.mjs';
import { clientOf, runClient } from './clients.mjs';
import { DIFFERENCES } from './differences.mjs';
import { KILLS, killUnder, Program } from './kills.mjs';
import { MUTATIONS } from './mutating-proxy.mjs';
import { MIXED, STEPS, stepsOf } from './resources.mjs';
import { compareStep, failureOf, judge, parseTranscript } from './transcript.mjs';

const CLIENT_TIMEOUT_MS = 240_000;
/** Enough to see each mutation, and quick. */
const MUTATED_STEPS = ['simple', 'tags', 'order-leases'];
/** Where each mutation must be seen; to fail for another reason proves nothing. */
/** @type {Record<Mutation, RegExp>} */
const MUTATED_FACT = { attempt: /\.attempt$/, tag: /\.tag$/, order: /\.message$/ };

/**
 * @typedef {import('./backends.mjs').Backend} Backend
 * @typedef {import('./mutating-proxy.mjs').Mutation} Mutation
 *
 * Passed when there is no problem.
 * @typedef {{ name: string, problems: string[] }} Check
 *
 * @typedef {{ clients: readonly string[], folders: ReadonlyMap<string, string>, home: string, keep?: string,
 *   log: (line: string) => void, signal: AbortSignal }} Run
 * @typedef {{ lines: import('./transcript.mjs').Line[], error?: string }} Transcript
 * @typedef {Map<string, Transcript>} Transcripts by client
 */

/**
 * @param {object} options
 * @param {readonly string[]} options.clients
 * @param {readonly ('embedded' | 'real')[]} options.backends one alone is run, not compared
 * @param {readonly string[]} options.steps
 * @param {import('./mutating-proxy.mjs').Mutation} [options.mutation] spoils the embedded broker, so that the run fails
 * @param {string} [options.keep] a folder for the transcripts
 * @param {string} options.home a folder for what the clients write
 * @param {(line: string) => void} options.log
 * @param {AbortSignal} options.signal
 * @returns {Promise<Check[]>}
 */
export async function judgeClients(options) {
  const { clients, backends, log, signal, mutation } = options;
  /** @type {Map<string, string>} */
  const folders = new Map();
  for (const client of clients) folders.set(client, await clientOf(client).prepare(log));
  const run = { ...options, folders };
  const steps = mutation === undefined ? options.steps : MUTATED_STEPS;
  // The real server's start starves a small machine: nobody is to be under way meanwhile.
  const starters = /** @type {const} */ ([
    ['real', () => startRealBackend({ clients, log, signal })],
    ['embedded', () => startEmbeddedBackend({ clients: onEmbedded(clients), mutation })],
  ]);
  const byBackend = await withBackends(
    starters.filter(([name]) => backends.includes(name)),
    async (name, backend) => {
      const own = { ...run, clients: name === 'real' ? clients : onEmbedded(clients) };
      const others = await runClients(own, name, backend, without(steps, KILLS));
      return steps.includes(KILLS) ? joined(others, await runUnderKills(own, name, backend)) : others;
    },
  );
  const checks = clients.flatMap((client) => checkClient(client, byBackend, stepsOf(client, steps)));
  const isWhole = backends.length === 2 && mutation === undefined && steps.length === STEPS.length;
  if (isWhole && byBackend.real !== undefined) checks.push(...(await checkMutations(run, byBackend.real)));
  return checks;
}

/**
 * @template T
 * @param {readonly (readonly [string, () => Promise<Backend>])[]} starters
 * @param {(name: string, up: Backend) => Promise<T>} use begins when all are up
 * @returns {Promise<Partial<Record<string, T>>>} by name
 */
async function withBackends(starters, use) {
  /** @type {[name: string, up: Backend][]} */
  const started = [];
  try {
    for (const [name, start] of starters) started.push([name, await start()]);
    const results = await Promise.all(
      started.map(async ([name, up]) => /** @type {const} */ ([name, await use(name, up)])),
    );
    return Object.fromEntries(results);
  } finally {
    await Promise.all(started.map(([, up]) => up.stop()));
  }
}

/**
 * @param {Run} about @param {string} name @param {Backend} backend @param {readonly string[]} steps
 * @param {ReadonlyMap<string, Program>} [programs] that are one test together, and so start at once
 * @returns {Promise<Transcripts>}
 */
async function runClients({ clients, folders, home, keep, log, signal }, name, backend, steps, programs) {
  const { endpoints, nameServer, isPlaintext } = backend;
  const timeoutMs = CLIENT_TIMEOUT_MS;
  // All at once starve a small machine, and the server on it: each waits until the one before has done a step, or has ended.
  let turn = Promise.resolve(true);
  const run = async (/** @type {string} */ client) => {
    const program = programs?.get(client) ?? new Program('end');
    const isNext = turn;
    if (programs === undefined) turn = program.reached;
    await isNext;
    const beganAt = Date.now();
    /** @type {Parameters<typeof runClient>[2]} */
    const settings = {
      endpoints,
      nameServer,
      isPlaintext,
      steps: stepsOf(client, steps),
      home: join(home, `${client}-${name}`),
      timeoutMs,
      signal,
      attach: (child) => program.attach(child),
    };
    /** @type {{ output: string, error?: string }} */
    const ran = await runClient(client, folders.get(client) ?? '', settings).then(
      (output) => ({ output }),
      (error) => ({ output: error.output ?? '', error: error.message }),
    );
    program.ended();
    log(`${client} on ${name}: ${Math.round((Date.now() - beganAt) / 1000)} s`);
    if (keep !== undefined) {
      mkdirSync(keep, { recursive: true });
      writeFileSync(join(keep, `${client}-${name}.jsonl`), ran.output);
    }
    return /** @type {const} */ ([client, { lines: parseTranscript(ran.output), error: ran.error }]);
  };
  const wanted = clients.filter((client) => stepsOf(client, steps).length > 0);
  const transcripts = new Map(await Promise.all(wanted.map(run)));
  signal.throwIfAborted();
  return transcripts;
}

/**
 * @param {Run} run @param {string} name @param {Backend} backend
 * @returns {Promise<Transcripts>} of the step during which the broker is killed; a broker that did not die as wanted is in each
 */
async function runUnderKills(run, name, backend) {
  const clients = run.clients.filter((client) => stepsOf(client, [KILLS]).length > 0);
  if (clients.length === 0) return new Map();
  const programs = new Map(clients.map((client) => [client, new Program('flowing')]));
  const [transcripts, error] = await Promise.all([
    runClients({ ...run, clients }, `${name}-kills`, backend, [KILLS], programs),
    killUnder(backend, programs, (line) => run.log(`${name}: ${line}`)).catch((error) => error.message),
  ]);
  return new Map([...transcripts].map(([client, ran]) => [client, { ...ran, error: ran.error ?? error }]));
}

/** @param {Transcripts} first @param {Transcripts} second @returns {Transcripts} */
function joined(first, second) {
  const clients = new Set([...first.keys(), ...second.keys()]);
  const both = (/** @type {string} */ client) =>
    [first.get(client), second.get(client)].filter((side) => side !== undefined);
  return new Map(
    [...clients].map((client) => {
      const errors = both(client).flatMap(({ error }) => error ?? []);
      const error = errors.length === 0 ? undefined : errors.join('\n');
      return [client, { lines: both(client).flatMap(({ lines }) => lines), error }];
    }),
  );
}

/** It does not serve clients of the remoting protocol. @param {readonly string[]} clients */
function onEmbedded(clients) {
  return without(clients, MIXED);
}

/** @param {readonly string[]} steps @param {string} step */
function without(steps, step) {
  return steps.filter((one) => one !== step);
}

/**
 * @param {string} client @param {Partial<Record<string, Transcripts>>} byBackend @param {readonly string[]} steps
 * @returns {Check[]} one for each step, one for each program's end, one for stale differences
 */
function checkClient(client, { embedded, real }, steps) {
  const sides = { embedded: embedded?.get(client), real: real?.get(client) };
  const ran = Object.entries(sides).flatMap(([name, side]) =>
    side === undefined ? [] : [/** @type {const} */ ([name, side])],
  );
  const listed = DIFFERENCES.filter((one) => one.clients.includes(client) && steps.includes(one.step));
  /** @type {string[]} */
  const stale = [];
  const checks = steps.map((step) => {
    const problems = ran.flatMap(([name, { lines }]) => {
      const failure = failureOf(lines, step);
      return failure === undefined ? [] : [`on ${name}: ${failure}`];
    });
    if (sides.embedded !== undefined && sides.real !== undefined && problems.length === 0) {
      const found = compareStep(sides.embedded.lines, sides.real.lines, step);
      const verdict = judge(
        found,
        listed.filter((one) => one.step === step),
      );
      problems.push(...verdict.unlisted.map(describe));
      stale.push(...verdict.stale.map(describe));
    }
    return { name: `${client}: ${step}`, problems };
  });
  for (const [name, { error }] of ran) {
    checks.push({
      name: `${client}: the program ends by itself on ${name}`,
      problems: error === undefined ? [] : [error],
    });
  }
  if (ran.length === 2) checks.push({ name: `${client}: every listed difference is still there`, problems: stale });
  return checks;
}

/** @param {import('./transcript.mjs').Found} found */
function describe({ step, what, fact, embedded, real }) {
  return `${step} / ${what} / ${fact}: embedded ${JSON.stringify(embedded)}, real ${JSON.stringify(real)}`;
}

/** @param {Run} run @param {Transcripts} real @returns {Promise<Check[]>} that the comparison notices each mutation, with each client */
async function checkMutations(run, real) {
  const ofMutation = async (/** @type {Mutation} */ mutation) => {
    const start = () => startEmbeddedBackend({ clients: onEmbedded(run.clients), mutation });
    const { spoiled } = await withBackends([['spoiled', start]], (_name, backend) =>
      runClients(run, `mutated-${mutation}`, backend, MUTATED_STEPS),
    );
    return [...(spoiled ?? [])].map(([client, { lines }]) => {
      const found = MUTATED_STEPS.flatMap((step) => compareStep(lines, real.get(client)?.lines ?? [], step));
      const seen = found.some(({ fact }) => MUTATED_FACT[mutation].test(fact));
      const problems = seen ? [] : [`not noticed; instead: ${found.map(describe).join('; ') || 'no difference'}`];
      return { name: `${client}: a broker with a wrong ${mutation} is noticed`, problems };
    });
  };
  return (await Promise.all(/** @type {Mutation[]} */ (Object.keys(MUTATIONS)).map(ofMutation))).flat();
}
