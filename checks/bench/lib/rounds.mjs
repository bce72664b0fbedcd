// Runs the sections of a benchmark: round by round, in each the columns of a section one after the other, so that what the
// machine does meanwhile meets all alike.

import { loadavg } from 'node:os';
import { columnOf } from '../columns.mjs';
import { KINDS } from './figures.mjs';

/** Messages behind those that are measured, so that the last of those are received like the first. */
const BEHIND = 2_000;
const START_MS = 60_000;
/** The slowest column sends and consumes more than this in a second. */
const MIN_PER_SECOND = 250;
/** What a line has with its label, where it was measured. */
const LABELED = /** @type {const} */ ([
  'serverMicros',
  'requireMs',
  'importMs',
  'startMs',
  'share',
  'latestMs',
  'advanceSeconds',
]);

/**
 * @typedef {import('../sections.mjs').Section} Section
 * @typedef {import('../columns.mjs').Column} Column
 * @typedef {import('./servers.mjs').Server} Server
 * @typedef {Partial<Record<import('./servers.mjs').ServerKind, import('./servers.mjs').ServerSource>>} Servers
 *
 * @typedef {{ section: string, column: string, round: number, load: number, figures?: import('./figures.mjs').Measured,
 *   error?: string }} Run
 *
 * @typedef {(column: Column, task: ClientTask,
 *   more: { timeoutMs: number, nodeFlags?: readonly string[] }) => Promise<import('./figures.mjs').Measured>} RunClient
 *
 * @typedef {import('./client-process.mjs').ClientTask} ClientTask
 *
 * What the process of a section's column gets.
 * @typedef {import('../sections.mjs').SectionTask & { endpoints: string | undefined, nameServer?: string, topic: string, group: string,
 *   options: object }} PreparedTask
 */

/**
 * @param {{ sections: readonly Section[], rounds: number, columnsOf: (section: Section) => readonly string[], firstRound?: number }} plan
 *   `firstRound` continues what was measured before
 * @param {{ servers: Servers, runClient: RunClient, log: (line: string) => void, onRun: (run: Run) => void,
 *   signal: AbortSignal }} tools `onRun` gets each run when it is over
 */
export async function runRounds(
  { sections, rounds, columnsOf, firstRound = 0 },
  { servers, runClient, log, onRun, signal },
) {
  for (let round = firstRound; round < rounds; round++) {
    for (const section of sections) {
      if (section.isOnce && round > 0) continue;
      for (const id of rotated(columnsOf(section), round)) {
        signal.throwIfAborted();
        const run = await runOnce(section, columnOf(id), round, servers, runClient, signal);
        onRun(run);
        log(lineOf(run, rounds));
      }
    }
  }
}

/** Whoever comes first in one round comes last in the next. @template T @param {readonly T[]} list @param {number} by */
export function rotated(list, by) {
  const start = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}

/**
 * @param {Section} section @param {Column} column @param {number} round @param {Servers} servers @param {RunClient} runClient
 * @param {AbortSignal} signal
 * @returns {Promise<Run>} with an error instead of figures when the client failed: the others go on
 */
async function runOnce(section, column, round, servers, runClient, signal) {
  const [load = 0] = loadavg();
  const about = { section: section.id, column: column.id, round, load };
  const kind = column.server ?? 'real';
  const bystander = kind === 'real' && !section.startsItself ? undefined : servers.real;
  /** @type {Server | undefined} */
  let server;
  try {
    bystander?.pause?.();
    if (!section.startsItself) server = await sourceOf(servers, kind).take();
    const task = await prepare(section, column, round, server);
    const expected = (task.warmUp ?? 0) + (task.count ?? 0) + (task.pending ?? 0);
    const timeoutMs = START_MS + 1000 * ((task.seconds ?? 0) + expected / MIN_PER_SECOND);
    const client = { ...column, program: section.program ?? column.program };
    const before = server?.usage();
    const figures = await runClient(
      client,
      { ...task, kind, pids: server?.pids },
      { timeoutMs, nodeFlags: section.nodeFlags },
    );
    return { ...about, figures: { ...ofServer(task, before, server?.usage()), ...figures } };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    return { ...about, error: error instanceof Error ? error.message : String(error) };
  } finally {
    bystander?.resume?.();
    await server?.release();
  }
}

/** @param {Servers} servers @param {import('./servers.mjs').ServerKind} kind */
function sourceOf(servers, kind) {
  const source = servers[kind];
  if (source === undefined) throw new Error(`no server was opened: ${kind}`);
  return source;
}

/**
 * What the messages cost the server, those of the warm-up included.
 * @param {PreparedTask} task
 * @param {import('./process-usage.mjs').Usage | undefined} before @param {import('./process-usage.mjs').Usage | undefined} after
 */
function ofServer({ warmUp = 0, count = 0 }, before, after) {
  if (before === undefined || after === undefined || count === 0) return {};
  return { serverMicros: (after.cpuMicros - before.cpuMicros) / (warmUp + count), serverBytes: after.residentBytes };
}

/**
 * A topic and a group that nobody else has used, filled where something is to be consumed.
 * @param {Section} section @param {Column} column @param {number} round @param {Server | undefined} server
 */
async function prepare(section, column, round, server) {
  const name = `bench-${section.id}-${column.id}-${round}-${process.pid}`;
  const { countFactor = 1, warmUpFactor = {} } = column;
  const options = section.options ?? column.options ?? {};
  /** @type {PreparedTask} */
  const task = { ...section.task, ...addressesOf(column, server), topic: name, group: name, options };
  // One at a time, messages take their time whatever the column.
  const factor = task.inFlight === 1 ? 1 : countFactor;
  if (task.count !== undefined) task.count *= factor;
  if (task.warmUp !== undefined) task.warmUp *= factor * (warmUpFactor[task.workload] ?? 1);
  await server?.createTopic(name);
  await server?.createGroup(name);
  const { topic, bodyBytes = 0, warmUp = 0, count = 0 } = task;
  if (['drain', 'backlog'].includes(task.workload)) {
    await server?.fill({ topic, bodyBytes, count: warmUp + count + BEHIND });
  }
  return task;
}

/** @param {Column} column @param {Server | undefined} server */
function addressesOf({ by = 'proxy', program }, server) {
  if (by === 'proxy') return { endpoints: server?.endpoints };
  if (server?.nameServer === undefined) throw new Error('this server has no name server');
  const { nameServer } = server;
  return program === 'java' ? { endpoints: nameServer, nameServer } : { endpoints: `name-server:${nameServer}` };
}

/** @param {Run} run @param {number} rounds */
function lineOf({ section, column, round, figures, error }, rounds) {
  const where = `${round + 1}/${rounds} ${section.padEnd(14)} ${column.padEnd(14)}`;
  if (figures === undefined) return `${where} FAILED: ${error}`;
  const { cpuMicros = 0, perSecond = 0, p50Ms, p99Ms, cpuPercent, messages = 0 } = figures;
  const labeled = LABELED.flatMap((kind) => {
    const value = figures[kind];
    return value === undefined ? [] : [`${KINDS[kind].label} ${KINDS[kind].write(value)}`];
  });
  const parts = [
    ...(messages > 1 ? [`${cpuMicros.toFixed(1)} µs`, `${Math.round(perSecond)}/s`] : []),
    ...(messages === 1 ? [`${cpuPercent?.toFixed(2)} % of a core`] : []),
    ...labeled,
    ...(p50Ms === undefined ? [] : [`p50 ${p50Ms.toFixed(2)} ms`, `p99 ${p99Ms?.toFixed(2)} ms`]),
  ];
  return `${where} ${parts.join(', ')}`;
}
