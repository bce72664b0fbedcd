// Runs the sections of a benchmark: round by round, in each the columns of a section one after the other, so that what the
// machine does meanwhile meets all alike.

import { loadavg } from 'node:os';
import { type Column, columnOf } from '../columns.js';
import type { Section, SectionTask } from '../section.js';
import type { ClientTask } from './client-process.js';
import { KINDS, type Measured, type Run } from './figures.js';
import type { Usage } from './process-usage.mjs';
import type { Server, ServerKind, ServerSource } from './servers.js';

/** Messages behind those that are measured, so that the last of those are received like the first. */
const BEHIND = 2_000;
const START_MS = 60_000;
/** The slowest column sends and consumes more than this in a second. */
const MIN_PER_SECOND = 250;
/** What a line has with its label, where it was measured. */
const LABELED = ['serverMicros', 'requireMs', 'importMs', 'startMs', 'share', 'latestMs', 'advanceSeconds'] as const;

export type Servers = Partial<Record<ServerKind, ServerSource>>;

export type RunClient = (
  column: Column,
  task: ClientTask,
  more: { timeoutMs: number; nodeFlags?: readonly string[] },
) => Promise<Measured>;

type PreparedTask = SectionTask & {
  endpoints: string | undefined;
  nameServer?: string;
  topic: string;
  group: string;
  options: object;
};

/**
 * @param plan `firstRound` continues what was measured before
 * @param tools `onRun` gets each run when it is over
 */
export async function runRounds(
  {
    sections,
    rounds,
    columnsOf,
    firstRound = 0,
  }: {
    sections: readonly Section[];
    rounds: number;
    columnsOf: (section: Section) => readonly string[];
    firstRound?: number;
  },
  {
    servers,
    runClient,
    log,
    onRun,
    signal,
  }: {
    servers: Servers;
    runClient: RunClient;
    log: (line: string) => void;
    onRun: (run: Run) => void;
    signal: AbortSignal;
  },
): Promise<void> {
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

/** Whoever comes first in one round comes last in the next. */
export function rotated<T>(list: readonly T[], by: number) {
  const start = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}

/** @returns with an error instead of figures when the client failed: the others go on */
async function runOnce(
  section: Section,
  column: Column,
  round: number,
  servers: Servers,
  runClient: RunClient,
  signal: AbortSignal,
): Promise<Run> {
  const [load = 0] = loadavg();
  const about = { section: section.id, column: column.id, round, load };
  const kind = column.server ?? 'real';
  const bystander = kind === 'real' && !section.startsItself ? undefined : servers.real;
  let server: Server | undefined;
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

function sourceOf(servers: Servers, kind: ServerKind) {
  const source = servers[kind];
  if (source === undefined) throw new Error(`no server was opened: ${kind}`);
  return source;
}

/** What the messages cost the server, those of the warm-up included. */
function ofServer({ warmUp = 0, count = 0 }: PreparedTask, before: Usage | undefined, after: Usage | undefined) {
  if (before === undefined || after === undefined || count === 0) return {};
  return { serverMicros: (after.cpuMicros - before.cpuMicros) / (warmUp + count), serverBytes: after.residentBytes };
}

/** A topic and a group that nobody else has used, filled where something is to be consumed. */
async function prepare(section: Section, column: Column, round: number, server: Server | undefined) {
  const name = `bench-${section.id}-${column.id}-${round}-${process.pid}`;
  const { countFactor = 1, warmUpFactor = {} } = column;
  const options = section.options ?? column.options ?? {};
  const task: PreparedTask = { ...section.task, ...addressesOf(column, server), topic: name, group: name, options };
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

function addressesOf({ by = 'proxy', program }: Column, server: Server | undefined) {
  if (by === 'proxy') return { endpoints: server?.endpoints };
  if (server?.nameServer === undefined) throw new Error('this server has no name server');
  const { nameServer } = server;
  return ['java', 'go'].includes(program)
    ? { endpoints: nameServer, nameServer }
    : { endpoints: `name-server:${nameServer}` };
}

function lineOf({ section, column, round, figures, error }: Run, rounds: number): string {
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
