// How what a message or a consumer costs grows with their number: from the options to a page of tables and a chart.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { startEmbeddedBroker } from '../../../tools/servers/embedded-broker-process.mjs';
import { startRocketMQCluster } from '../../../tools/servers/rocketmq/cluster.js';
import { OptionError } from '../../options.js';
import { type Column, columnOf } from '../columns.js';
import { barChart } from '../lib/chart.js';
import { runClient } from '../lib/client-process.js';
import { storeArguments } from '../lib/embedded-arguments.mjs';
import { machine } from '../lib/machine.js';
import { processesNaming, usageOf } from '../lib/process-usage.mjs';
import { table } from '../lib/table.js';
import { fill } from '../workloads/floors/fill.mjs';
import { type Figure, PARTS, type Part } from './parts.js';

const KIB = 1024;
const OWN_COLUMN = columnOf('ours');
const PROGRAM = { ...OWN_COLUMN, label: 'the measured process', program: 'growth.mjs' };
const TIMEOUT_MS = 300_000;
const IDLE_SECONDS = 15;
const ORDERED = { topic: 'steps', group: 'lines', count: 16_000 };
const DRAINED = { warmUp: 5_000, count: 15_000 };
const SENT_BESIDE_DELAYED = { inFlight: 32, bodyBytes: KIB, warmUp: 5_000, count: 10_000 };
const CLUSTER = { topic: 'growth', group: 'growth', seconds: 8, queues: 8, heap: '512m' };
/** What two cores drain in the time, and as much again. */
const CLUSTER_BACKLOG = 200_000;
/** Above it, a cost is named as one that grows. A paired run differs by less. */
const LEVEL = 1.5;

type Figures = Readonly<Record<string, number | undefined>>;

type Log = (line: string) => void;

interface Tools {
  home: string;
  log: Log;
  signal: AbortSignal;
}

interface Measured {
  point: number;
  figures?: Figures;
  error?: string;
}

interface GrowthValues {
  readonly only: readonly string[] | undefined;
  readonly quick: boolean;
  readonly out: string | undefined;
}

/** @returns whether all could be measured */
export async function runGrowth(
  { only: wanted, quick, out }: GrowthValues,
  { root, ...tools }: Tools & { root: string },
): Promise<boolean> {
  const parts = PARTS.filter(
    ({ id }) => wanted === undefined || wanted.some((name) => id === name || id.startsWith(`${name}-`)),
  );
  if (parts.length === 0) throw new OptionError(`--only ${wanted}: there are ${PARTS.map(({ id }) => id).join(', ')}`);
  const results: { part: Part; measured: Measured[] }[] = [];
  for (const part of parts) {
    const measured = [];
    for (const point of quick ? part.points.slice(0, 2) : part.points) {
      const one = await measureAt(part, point, tools);
      tools.log(`${part.id} ${point}: ${one.error ?? JSON.stringify(one.figures)}`);
      measured.push(one);
    }
    results.push({ part, measured });
  }
  const folder =
    out ?? join(root, ...(wanted === undefined && !quick ? ['docs', 'benchmarks'] : ['checks', 'bench', 'results']));
  const text = pageOf(results);
  tools.log(`\n${text}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'growth.md'), text);
  writeFileSync(join(folder, 'growth.svg'), chartOf(results));
  tools.log(`written to ${folder}`);
  return results.every(({ measured }) => measured.every(({ error }) => error === undefined));
}

async function measureAt(part: Part, point: number, tools: Tools): Promise<Measured> {
  const [name = '', kind = 'memory'] = [part.id.replace(/-(memory|async)$/, ''), /-(memory|async)$/.exec(part.id)?.[1]];
  try {
    if (name === 'processes') return { point, figures: await onCluster({ brokers: 1, processes: point }, tools) };
    if (name === 'brokers') return { point, figures: await onCluster({ brokers: point, processes: 2 }, tools) };
    return { point, figures: await onEmbedded(name, kind, point, tools) };
  } catch (error) {
    tools.signal.throwIfAborted();
    return { point, error: error instanceof Error ? error.message : String(error) };
  }
}

async function onEmbedded(name: string, kind: string, point: number, { home, signal }: Tools): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'nestjs-rocketmq-growth-'));
  const declared = ['--topic', `${ORDERED.topic}:fifo:8`, '--group', `${ORDERED.group}:fifo`];
  const broker = await startEmbeddedBroker(['--port', '0', ...declared, ...storeArguments(kind, folder)]);
  const { endpoints } = broker;
  const pids = [broker.pid];
  const run = (column: Column, task: object) => runProcess(column, { endpoints, pids, ...task }, { home, signal });
  const named = { topic: `growth-${name}`, group: 'growth', options: OWN_COLUMN.options };
  const before = usageOf(pids);
  try {
    switch (name) {
      case 'backlog': {
        await fill(endpoints, { topic: named.topic, bodyBytes: KIB, count: point });
        const filled = usageOf(pids);
        const { warmUp, count } = DRAINED;
        const figures = await run(OWN_COLUMN, { ...named, ...DRAINED, workload: 'drain' });
        return {
          ...figures,
          fillMicros: (filled.cpuMicros - before.cpuMicros) / point,
          serverBytes: (filled.residentBytes - before.residentBytes) / point,
          serverMicros: (usageOf(pids).cpuMicros - filled.cpuMicros) / (warmUp + count),
        };
      }
      case 'delayed': {
        const figures = await run(OWN_COLUMN, { ...named, ...SENT_BESIDE_DELAYED, workload: 'delays', pending: point });
        const { serverBytes = 0 } = figures;
        return { ...figures, serverBytes: (serverBytes - before.residentBytes) / point };
      }
      default:
        return await run(PROGRAM, { ...ORDERED, workload: name, point, seconds: IDLE_SECONDS });
    }
  } finally {
    await broker.kill();
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function onCluster(
  { brokers, processes }: { brokers: number; processes: number },
  { home, signal }: Tools,
): Promise<Figures> {
  const { topic, group, seconds, queues, heap } = CLUSTER;
  const cluster = await startRocketMQCluster({ brokers, proxies: 0, brokerHeap: heap });
  const admin = new RocketMQAdmin({ nameServer: cluster.nameServer, timeoutMs: 10_000 });
  const pids = processesNaming(cluster.runFolder);
  const task = { endpoints: `name-server:${cluster.nameServer}`, pids, topic, group, seconds };
  const run = (more: object) => runProcess(PROGRAM, { ...task, ...more }, { home, signal });
  try {
    await admin.createTopic({ topic, type: 'normal', queues });
    await admin.createGroup({ consumerGroup: group });
    await run({ workload: 'fill', count: CLUSTER_BACKLOG });
    const before = usageOf(pids).cpuMicros;
    const shares = await Promise.all(Array.from({ length: processes }, () => run({ workload: 'share' })));
    const sum = (of: (share: Figures) => number) => shares.reduce((total, one) => total + of(one), 0);
    const messages = sum(({ messages = 0 }) => messages);
    return {
      perSecond: sum(({ perSecond = 0 }) => perSecond),
      cpuMicros: sum(({ cpuMicros = 0, messages: own = 0 }) => cpuMicros * own) / messages,
      serverMicros: (usageOf(pids).cpuMicros - before) / sum(({ handled = 0 }) => handled),
    };
  } finally {
    await admin.close();
    await cluster.stop();
  }
}

async function runProcess(column: Column, task: object, tools: Pick<Tools, 'home' | 'signal'>): Promise<Figures> {
  const options = { timeoutMs: TIMEOUT_MS, nodeFlags: ['--expose-gc'], ...tools };
  const { version: _, ...figures } = await runClient(column, { ...task }, options);
  return figures;
}

function pageOf(results: readonly { part: Part; measured: readonly Measured[] }[]): string {
  const { cpu, cores, memoryGiB, system, node, java } = machine();
  const date = new Date().toISOString().slice(0, 10);
  return `${[
    '# How it grows',
    'Written by `npm run check growth`. What a message or a consumer costs should not depend on how many there are: the last row says how ' +
      `a cost at the largest number compares with that at the second, and names one above ${LEVEL} times.`,
    '![Costs by number: a level bar is a cost that does not grow](growth.svg)',
    `${date}. ${cpu}, ${cores} cores that clients and servers share, ${memoryGiB} GiB; ${system}; Node.js ${node}; ${java}.`,
    ...results.map(({ part, measured }) => partText(part, measured)),
  ].join('\n\n')}\n`;
}

function partText({ id, title, of, figures }: Part, measured: readonly Measured[]): string {
  const kinds = Object.entries(figures);
  const rows = measured.map(({ point, figures: found, error }) => [
    point.toLocaleString('en'),
    ...kinds.map(([name, figure]) => (found === undefined ? `failed: ${error}` : written(found[name], figure))),
  ]);
  const growth = kinds.map(([name, { isCost }]) => (isCost ? growthText(name, measured) : ''));
  return `## ${id}: ${title}\n\n${table([of, ...kinds.map(([, { label }]) => label)], [...rows, ['largest / second', ...growth]])}`;
}

function growthText(name: string, measured: readonly Measured[]): string {
  const [, second] = measured;
  const from = second?.figures?.[name];
  const to = measured.at(-1)?.figures?.[name];
  if (from === undefined || to === undefined || measured.length < 3) return '';
  const ratio = to / from;
  return `${ratio.toFixed(2)}${ratio > LEVEL ? ', grows' : ''}`;
}

function written(value: number | undefined, { digits = 1 }: Figure): string {
  return value === undefined
    ? '-'
    : value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function chartOf(results: readonly { part: Part; measured: readonly Measured[] }[]): string {
  const groups = results.map(({ part: { id, figures, drawn, of }, measured }) => {
    const figure = figures[drawn] ?? { label: drawn };
    const bars = measured.flatMap(({ point, figures: found }) => {
      const value = found?.[drawn];
      if (value === undefined) return [];
      const label = `${point.toLocaleString('en')} ${of}`;
      return [{ label, value, least: value, most: value, text: written(value, figure), kind: 'ours' as const }];
    });
    return { label: `${id}: ${figure.label}`, bars };
  });
  const { cpu, cores, node } = machine();
  return barChart({
    title: 'Costs by number: a level bar is a cost that does not grow',
    notes: [`${new Date().toISOString().slice(0, 10)}; ${cpu}, ${cores} cores; Node.js ${node}`],
    groups: groups.filter(({ bars }) => bars.length > 0),
  });
}
