// What is measured: each section is one task that its columns do in turn, once a round.

import { columnsThat } from './columns.js';
import { DATABASE_SECTIONS } from './database-sections.js';
import { EMBEDDED_SECTIONS } from './embedded-sections.js';
import type { Figure, Section } from './section.js';

const KIB = 1024;

const OF_SENDS: readonly Figure[] = ['cpuMicros', 'perSecond', 'p50Ms', 'p99Ms', 'residentBytes'];
const OF_DRAINS: readonly Figure[] = ['cpuMicros', 'perSecond', 'residentBytes'];

const sendTask = (inFlight: number, bodyBytes: number, warmUp: number, count: number) => ({
  workload: 'send',
  inFlight,
  bodyBytes,
  warmUp,
  count,
});
const drainTask = (warmUp: number, count: number, bodyBytes = KIB) => ({ workload: 'drain', bodyBytes, warmUp, count });

const TELEMETRY = ['ours', 'ours-without-sdk', 'ours-unsampled', 'ours-by-hand', 'ours-traced'];

/** Bodies of other sizes than 1 KiB show how the figures depend on the size; equal behavior is measured once. */
const OTHER_BODIES = {
  send: ['ours', 'ours-batched', 'node', 'java', 'lean'],
  drain: ['ours', 'node', 'java', 'lean'],
};

const QUICK = {
  send: ['ours', 'ours-batched', 'node', 'raw', 'lean'],
  drain: ['ours', 'node', 'raw', 'lean'],
};

const SENDS_BY_NAME_SERVER = [
  ...['ours', 'ours-remoting', 'ours-batched', 'ours-remoting-batched'],
  ...['java-remoting', 'go-remoting', 'socket-remoting'],
];

export const SECTIONS: readonly Section[] = [
  {
    id: 'send-64',
    title: 'Send 1 KiB, 64 in flight',
    columns: columnsThat('send'),
    figures: OF_SENDS,
    task: sendTask(64, KIB, 10_000, 30_000),
    quickTask: sendTask(64, KIB, 2_000, 6_000),
    quickColumns: QUICK.send,
  },
  {
    id: 'send-512',
    title: 'Send 1 KiB, 512 in flight',
    columns: columnsThat('send'),
    figures: OF_SENDS,
    task: sendTask(512, KIB, 10_000, 30_000),
    quickTask: sendTask(512, KIB, 2_000, 6_000),
    quickColumns: ['ours', 'ours-batched'],
  },
  {
    id: 'send-1',
    title: 'Send 1 KiB, one at a time',
    columns: columnsThat('send'),
    figures: OF_SENDS,
    task: sendTask(1, KIB, 1_000, 5_000),
    quickTask: sendTask(1, KIB, 500, 1_500),
    quickColumns: ['ours', 'ours-batched', 'node'],
  },
  {
    id: 'send-100b',
    title: 'Send 100 B, 64 in flight',
    columns: OTHER_BODIES.send,
    figures: OF_SENDS,
    task: sendTask(64, 100, 5_000, 25_000),
  },
  {
    id: 'send-64k',
    title: 'Send 64 KiB, 64 in flight',
    columns: OTHER_BODIES.send,
    figures: OF_SENDS,
    task: sendTask(64, 64 * KIB, 1_000, 3_000),
  },
  {
    id: 'requests',
    title: 'Several messages of 1 KiB a request, 16 requests in flight',
    columns: ['raw-8', 'lean-8', 'raw-32', 'lean-32'],
    figures: OF_SENDS,
    task: sendTask(16, KIB, 32_000, 160_000),
  },
  {
    id: 'drain',
    title: 'Drain a backlog of 1 KiB messages by a push consumer, empty handler',
    columns: columnsThat('drain'),
    figures: OF_DRAINS,
    task: drainTask(10_000, 50_000),
    quickTask: drainTask(2_000, 6_000),
    quickColumns: QUICK.drain,
  },
  {
    id: 'drain-100b',
    title: 'Drain a backlog of 100 B messages',
    columns: OTHER_BODIES.drain,
    figures: OF_DRAINS,
    task: drainTask(5_000, 20_000, 100),
  },
  {
    id: 'drain-64k',
    title: 'Drain a backlog of 64 KiB messages',
    columns: OTHER_BODIES.drain,
    figures: OF_DRAINS,
    task: drainTask(1_000, 3_000, 64 * KIB),
  },
  {
    id: 'latency',
    title: 'From send to handler, 100 messages of 1 KiB a second',
    columns: columnsThat('handle'),
    figures: ['p50Ms', 'p99Ms', 'cpuPercent', 'residentBytes'],
    task: { workload: 'latency', bodyBytes: KIB, perSecond: 100, warmUpSeconds: 3, seconds: 10 },
    quickTask: { workload: 'latency', bodyBytes: KIB, perSecond: 100, warmUpSeconds: 1, seconds: 2 },
  },
  {
    id: 'latency-1000',
    title: 'From send to handler, 1,000 messages of 1 KiB a second',
    columns: ['ours', 'node', 'java', 'go'],
    figures: ['p50Ms', 'p99Ms', 'cpuPercent', 'residentBytes'],
    task: { workload: 'latency', bodyBytes: KIB, perSecond: 1_000, warmUpSeconds: 3, seconds: 10 },
  },
  {
    id: 'remoting-send-64',
    title: 'Send 1 KiB, 64 in flight, without a proxy',
    columns: SENDS_BY_NAME_SERVER,
    figures: OF_SENDS,
    task: sendTask(64, KIB, 10_000, 30_000),
    quickTask: sendTask(64, KIB, 2_000, 6_000),
    quickColumns: ['ours-remoting', 'ours-remoting-batched'],
  },
  {
    id: 'remoting-send-512',
    title: 'Send 1 KiB, 512 in flight, without a proxy',
    columns: SENDS_BY_NAME_SERVER,
    figures: OF_SENDS,
    task: sendTask(512, KIB, 10_000, 30_000),
  },
  {
    id: 'remoting-drain',
    title: 'Drain a backlog of 1 KiB messages without a proxy',
    columns: [
      ...['ours', 'ours-remoting', 'ours-remoting-pull'],
      ...['java-remoting', 'java-remoting-pop', 'go-remoting', 'socket-remoting'],
    ],
    figures: OF_DRAINS,
    task: drainTask(10_000, 50_000),
    quickTask: drainTask(2_000, 6_000),
    quickColumns: ['ours-remoting'],
  },
  {
    id: 'remoting-latency',
    title: 'From send to handler without a proxy, 100 messages of 1 KiB a second',
    columns: ['ours', 'ours-remoting', 'java-remoting-pop', 'go-remoting'],
    figures: ['p50Ms', 'p99Ms', 'cpuPercent', 'residentBytes'],
    task: { workload: 'latency', bodyBytes: KIB, perSecond: 100, warmUpSeconds: 3, seconds: 10 },
  },
  {
    id: 'pull-send-64',
    title: 'Send 1 KiB, 64 in flight, to a broker of 4.x',
    columns: ['ours-remoting', 'java-remoting', 'go-remoting'],
    figures: [...OF_SENDS, 'peakBytes'],
    isOf4x: true,
    task: sendTask(64, KIB, 10_000, 30_000),
  },
  {
    id: 'pull-drain',
    title: 'Drain a backlog of 1 KiB messages from a broker of 4.x',
    columns: ['ours-remoting', 'java-remoting', 'java-remoting-warm', 'go-remoting'],
    figures: [...OF_DRAINS, 'peakBytes'],
    isOf4x: true,
    task: drainTask(10_000, 50_000),
  },
  {
    id: 'pull-latency',
    title: 'From send to handler on a broker of 4.x, 100 messages of 1 KiB a second',
    columns: ['ours-remoting', 'java-remoting', 'go-remoting'],
    figures: ['p50Ms', 'p99Ms', 'cpuPercent', 'residentBytes', 'peakBytes'],
    isOf4x: true,
    task: { workload: 'latency', bodyBytes: KIB, perSecond: 100, warmUpSeconds: 3, seconds: 10 },
  },
  {
    id: 'nest',
    title: 'Drain through Nest, beside the bare consumer',
    columns: ['ours', 'nest', 'nest-enhanced'],
    figures: OF_DRAINS,
    task: drainTask(10_000, 40_000),
    quickTask: drainTask(1_000, 3_000),
    quickColumns: ['nest-enhanced'],
  },
  {
    id: 'loading',
    title: 'Loading the library where Nest is loaded',
    columns: ['after-core', 'after-microservices'],
    figures: ['requireMs', 'importMs'],
    startsItself: true,
    task: { workload: 'loading', starts: 5, about: 5 },
    quickTask: { workload: 'loading', starts: 1, about: 1 },
  },
  {
    id: 'telemetry-send',
    title:
      'Send 1 KiB, 64 in flight: without telemetry, with it but without an SDK, unsampled, by hand, with every span recorded',
    columns: TELEMETRY,
    figures: OF_SENDS,
    task: sendTask(64, KIB, 3_000, 8_000),
  },
  {
    id: 'telemetry-drain',
    title:
      'Drain a backlog of 1 KiB messages: without telemetry, with it but without an SDK, unsampled, by hand, with every span recorded',
    columns: TELEMETRY,
    figures: OF_DRAINS,
    task: drainTask(2_000, 6_000),
    quickTask: drainTask(1_000, 3_000),
    quickColumns: ['ours-traced'],
  },
  ...EMBEDDED_SECTIONS,
  ...DATABASE_SECTIONS,
  {
    id: 'idle',
    title: 'A consumer of 8 queues that nothing comes to',
    columns: ['ours', 'node', 'java'],
    figures: ['cpuPercent', 'residentBytes'],
    task: { workload: 'idle', seconds: 12 },
    quickTask: { workload: 'idle', seconds: 2 },
    quickColumns: ['ours'],
  },
  {
    id: 'backlog',
    title: 'A backlog of more than 1,000,000 messages of 1 KiB, a handler of 5 ms, 64 at once, 3 minutes',
    columns: ['ours'],
    figures: ['perSecond', 'heapGrowthBytes', 'residentBytes', 'cpuMicros'],
    // More than 64 handlers of 5 ms can take in that time: it never runs out.
    task: { workload: 'backlog', bodyBytes: KIB, warmUp: 0, count: 2_400_000, seconds: 180, concurrency: 64 },
    isLong: true,
    nodeFlags: ['--expose-gc'],
  },
];
