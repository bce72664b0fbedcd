// The interop run: brokers up, programs side by side, transcripts compared, then the same with a broker spoiled on purpose.
// Its options are those of checks/interop/check.ts.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Backend, startEmbeddedBackend, startRealBackend } from './backends.js';
import { clientOf, runClient } from './clients.js';
import { DIFFERENCES } from './differences.js';
import { killUnder, Program } from './kills.js';
import { MUTATIONS, type Mutation } from './mutating-proxy.js';
import { ACCESS, KILLS, MIXED, STEPS, stepsOf } from './resources.js';
import { compareStep, compareWithListed, type Found, failureOf, type Line, parseTranscript } from './transcript.js';

const CLIENT_TIMEOUT_MS = 240_000;
/** What each client saw on the real server when that was recorded. Nothing of this repository has a part in it. */
const RECORDED = join(import.meta.dirname, 'recorded');
/** Enough to see each mutation, and quick. */
const MUTATED_STEPS = ['simple', 'tags', 'order-leases'];
/** Where each mutation must be seen; to fail for another reason proves nothing. */
const MUTATED_FACT: Record<Mutation, RegExp> = { attempt: /\.attempt$/, tag: /\.tag$/, order: /\.message$/ };

interface Check {
  name: string;
  problems: string[];
}

interface Run {
  clients: readonly string[];
  folders: ReadonlyMap<string, string>;
  home: string;
  keep?: string;
  log: (line: string) => void;
  signal: AbortSignal;
}

interface Transcript {
  lines: Line[];
  error?: string;
  isRecorded?: true;
}

/** By client. */
type Transcripts = Map<string, Transcript>;

export async function judgeClients(options: {
  clients: readonly string[];
  /** One alone is run, not compared. */
  backends: readonly ('embedded' | 'real')[];
  steps: readonly string[];
  /** Spoils the embedded broker, so that the run fails. */
  mutation?: Mutation;
  /** In place of the real server, where only programs of others would run. */
  isRecorded: boolean;
  /** A folder for the transcripts. */
  keep?: string;
  /** Whether what the real server shows is kept for later runs, if all is sound. */
  record: boolean;
  /** A folder for what the clients write. */
  home: string;
  log: (line: string) => void;
  signal: AbortSignal;
}): Promise<Check[]> {
  const { clients, backends, isRecorded, log, mutation } = options;
  const onReal = isRecorded ? clients.filter((client) => client === MIXED) : clients;
  const recorded = isRecorded && backends.includes('real') ? without(clients, MIXED) : [];
  const folders = new Map<string, string>();
  for (const client of clients) folders.set(client, await clientOf(client).prepare(log));
  const run = { ...options, folders };
  const steps = mutation === undefined ? options.steps : MUTATED_STEPS;
  // The real server's start starves a small machine: nobody is to be under way meanwhile.
  const byBackend = await withBackends(
    startersOf(options, onReal, clients).filter(() => steps.some((step) => step !== ACCESS)),
    async (name, backend) => {
      const own = { ...run, clients: name === 'real' ? onReal : clients };
      const others = await runClients(own, name, backend, without(without(steps, KILLS), ACCESS));
      return steps.includes(KILLS) ? joined(others, await runUnderKills(own, name, backend)) : others;
    },
  );
  const ofAccess = (all: readonly string[]) => all.filter((client) => stepsOf(client, steps).includes(ACCESS));
  const withUsers = await withBackends(
    startersOf(options, ofAccess(onReal), ofAccess(clients), true),
    (name, backend) => runClients({ ...run, clients: ofAccess(clients) }, `${name}-access`, backend, [ACCESS]),
  );
  for (const name of ['embedded', 'real']) {
    const [others = new Map(), access = new Map()] = [byBackend[name], withUsers[name]];
    if (others.size + access.size > 0) byBackend[name] = joined(others, access);
  }
  if (recorded.length > 0) byBackend.real = new Map([...(byBackend.real ?? []), ...recorded.map(recordedTranscript)]);
  const checks = clients.flatMap((client) => checkClient(client, byBackend, stepsOf(client, steps)));
  const isWhole = backends.length === 2 && mutation === undefined && steps.length === STEPS.length;
  if (isWhole && byBackend.real !== undefined) checks.push(...(await checkMutations(run, byBackend.real)));
  const isSound = checks.every(({ problems }) => problems.length === 0);
  if (options.record && isSound && byBackend.real !== undefined) record(byBackend.real);
  return checks;
}

/** Both that are asked for, and have a client. */
function startersOf(
  {
    backends,
    mutation,
    log,
    signal,
  }: Pick<Parameters<typeof judgeClients>[0], 'backends' | 'mutation' | 'log' | 'signal'>,
  onReal: readonly string[],
  onEmbedded: readonly string[],
  hasUsers = false,
) {
  const all = [
    { name: 'real', clients: onReal, start: () => startRealBackend({ clients: onReal, hasUsers, log, signal }) },
    {
      name: 'embedded',
      clients: onEmbedded,
      start: () => startEmbeddedBackend({ clients: onEmbedded, mutation, hasUsers }),
    },
  ] as const;
  const wanted = all.filter(({ name, clients }) => backends.includes(name) && clients.length > 0);
  return wanted.map(({ name, start }) => [name, start] as const);
}

function recordedTranscript(client: string): readonly [client: string, Transcript] {
  return [
    client,
    { lines: parseTranscript(readFileSync(join(RECORDED, `${client}.jsonl`), 'utf8')), isRecorded: true },
  ];
}

function record(real: Transcripts): void {
  mkdirSync(RECORDED, { recursive: true });
  for (const [client, { lines }] of real) {
    if (client === MIXED) continue;
    writeFileSync(join(RECORDED, `${client}.jsonl`), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  }
}

/**
 * @param use begins when all are up
 * @returns by name
 */
async function withBackends<T>(
  starters: readonly (readonly [string, () => Promise<Backend>])[],
  use: (name: string, up: Backend) => Promise<T>,
): Promise<Partial<Record<string, T>>> {
  const started: [name: string, up: Backend][] = [];
  try {
    for (const [name, start] of starters) started.push([name, await start()]);
    const results = await Promise.all(started.map(async ([name, up]) => [name, await use(name, up)] as const));
    return Object.fromEntries(results);
  } finally {
    await Promise.all(started.map(([, up]) => up.stop()));
  }
}

/** @param programs that are one test together, and so start at once */
async function runClients(
  { clients, folders, home, keep, log, signal }: Run,
  name: string,
  backend: Backend,
  steps: readonly string[],
  programs?: ReadonlyMap<string, Program>,
): Promise<Transcripts> {
  const { endpoints, nameServer, isPlaintext } = backend;
  const timeoutMs = CLIENT_TIMEOUT_MS;
  // All at once starve a small machine, and the server on it: each waits until the one before has done a step, or has ended.
  let turn = Promise.resolve(true);
  const run = async (client: string) => {
    const program = programs?.get(client) ?? new Program('end');
    const isNext = turn;
    if (programs === undefined) turn = program.reached;
    await isNext;
    const beganAt = Date.now();
    const settings: Parameters<typeof runClient>[2] = {
      endpoints,
      nameServer,
      isPlaintext,
      steps: stepsOf(client, steps),
      home: join(home, `${client}-${name}`),
      timeoutMs,
      signal,
      attach: (child) => program.attach(child),
    };
    const ran: { output: string; error?: string } = await runClient(client, folders.get(client) ?? '', settings).then(
      (output) => ({ output }),
      (error) => ({ output: error.output ?? '', error: error.message }),
    );
    program.ended();
    log(`${client} on ${name}: ${Math.round((Date.now() - beganAt) / 1000)} s`);
    if (keep !== undefined) {
      mkdirSync(keep, { recursive: true });
      writeFileSync(join(keep, `${client}-${name}.jsonl`), ran.output);
    }
    return [client, { lines: parseTranscript(ran.output), error: ran.error }] as const;
  };
  const wanted = clients.filter((client) => stepsOf(client, steps).length > 0);
  const transcripts = new Map(await Promise.all(wanted.map(run)));
  signal.throwIfAborted();
  return transcripts;
}

/** @returns of the step during which the broker is killed; a broker that did not die as wanted is in each */
async function runUnderKills(run: Run, name: string, backend: Backend): Promise<Transcripts> {
  const clients = run.clients.filter((client) => stepsOf(client, [KILLS]).length > 0);
  if (clients.length === 0) return new Map();
  const programs = new Map(clients.map((client) => [client, new Program('flowing')]));
  const [transcripts, error] = await Promise.all([
    runClients({ ...run, clients }, `${name}-kills`, backend, [KILLS], programs),
    killUnder(backend, programs, (line) => run.log(`${name}: ${line}`)).catch((error) => error.message),
  ]);
  return new Map([...transcripts].map(([client, ran]) => [client, { ...ran, error: ran.error ?? error }]));
}

function joined(first: Transcripts, second: Transcripts): Transcripts {
  const clients = new Set([...first.keys(), ...second.keys()]);
  const both = (client: string) => [first.get(client), second.get(client)].filter((side) => side !== undefined);
  return new Map(
    [...clients].map((client) => {
      const errors = both(client).flatMap(({ error }) => error ?? []);
      const error = errors.length === 0 ? undefined : errors.join('\n');
      return [client, { lines: both(client).flatMap(({ lines }) => lines), error }];
    }),
  );
}

function without(steps: readonly string[], step: string): string[] {
  return steps.filter((one) => one !== step);
}

/** @returns one for each step, one for each program's end, one for stale differences */
function checkClient(
  client: string,
  { embedded, real }: Partial<Record<string, Transcripts>>,
  steps: readonly string[],
): Check[] {
  const sides = { embedded: embedded?.get(client), real: real?.get(client) };
  const ran = Object.entries(sides).flatMap(([name, side]) => (side === undefined ? [] : [[name, side] as const]));
  const listed = DIFFERENCES.filter((one) => one.clients.includes(client) && steps.includes(one.step));
  const stale: string[] = [];
  const checks = steps.map((step) => {
    const problems = ran.flatMap(([name, { lines }]) => {
      const failure = failureOf(lines, step);
      return failure === undefined ? [] : [`on ${name}: ${failure}`];
    });
    if (sides.embedded !== undefined && sides.real !== undefined && problems.length === 0) {
      const found = compareStep(sides.embedded.lines, sides.real.lines, step);
      const verdict = compareWithListed(
        found,
        listed.filter((one) => one.step === step),
      );
      problems.push(...verdict.unlisted.map(describe));
      stale.push(...verdict.stale.map(describe));
    }
    return { name: `${client}: ${step}`, problems };
  });
  for (const [name, { error, isRecorded }] of ran) {
    if (isRecorded) continue;
    checks.push({
      name: `${client}: the program ends by itself on ${name}`,
      problems: error === undefined ? [] : [error],
    });
  }
  if (ran.length === 2) checks.push({ name: `${client}: every listed difference is still there`, problems: stale });
  return checks;
}

function describe({ step, what, fact, embedded, real }: Found): string {
  return `${step} / ${what} / ${fact}: embedded ${JSON.stringify(embedded)}, real ${JSON.stringify(real)}`;
}

/** @returns that the comparison notices each mutation, with each client */
async function checkMutations(run: Run, real: Transcripts): Promise<Check[]> {
  const ofMutation = async (mutation: Mutation) => {
    const start = () => startEmbeddedBackend({ clients: run.clients, mutation });
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
  return (await Promise.all((Object.keys(MUTATIONS) as Mutation[]).map(ofMutation))).flat();
}
