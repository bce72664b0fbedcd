// What is measured: each section is one task that its columns do in turn, once a round.

import { columnsThat } from './columns.mjs';

/**
 * @typedef {'cpuMicros' | 'perSecond' | 'p50Ms' | 'p99Ms' | 'residentBytes' | 'cpuPercent' | 'heapGrowthBytes'} Figure
 *
 * @typedef {object} Section
 * @property {string} id `--only` takes it, and whatever it begins with: `send` takes all sends
 * @property {string} title
 * @property {readonly string[]} columns
 * @property {readonly Figure[]} figures what its table shows
 * @property {object} task what every process is told, beside endpoints and names
 * @property {object} [quickTask] what --quick tells instead
 * @property {boolean} [isLong] only with --long
 * @property {readonly string[]} [nodeFlags]
 */

const KIB = 1024;

/** @type {readonly Figure[]} */
const OF_SENDS = ['cpuMicros', 'perSecond', 'p50Ms', 'p99Ms', 'residentBytes'];
/** @type {readonly Figure[]} */
const OF_DRAINS = ['cpuMicros', 'perSecond', 'residentBytes'];

const sendTask = (inFlight, bodyBytes, warmUp, count) => ({ workload: 'send', inFlight, bodyBytes, warmUp, count });
const drainTask = (warmUp, count) => ({ workload: 'drain', bodyBytes: KIB, warmUp, count });

/** @param {string} id @param {string} title @returns {Section} */
function sends(id, title, task, quickTask, columns = columnsThat('send')) {
  return { id, title, columns, figures: OF_SENDS, task, quickTask };
}

/** @type {readonly Section[]} */
export const SECTIONS = [
  sends('send-64', 'Send 1 KiB, 64 in flight', sendTask(64, KIB, 10_000, 40_000), sendTask(64, KIB, 3_000, 9_000)),
  sends('send-512', 'Send 1 KiB, 512 in flight', sendTask(512, KIB, 10_000, 40_000), sendTask(512, KIB, 3_000, 9_000)),
  sends('send-1', 'Send 1 KiB, one at a time', sendTask(1, KIB, 2_000, 8_000), sendTask(1, KIB, 1_000, 3_000)),
  sends('send-100b', 'Send 100 B, 64 in flight', sendTask(64, 100, 10_000, 40_000)),
  sends('send-64k', 'Send 64 KiB, 64 in flight', sendTask(64, 64 * KIB, 500, 2_000)),
  sends(
    'requests',
    'Several messages of 1 KiB a request, 16 requests in flight',
    sendTask(16, KIB, 32_000, 160_000),
    undefined,
    ['raw-8', 'lean-8', 'raw-32', 'lean-32'],
  ),
  {
    id: 'drain',
    title: 'Drain a backlog of 1 KiB messages by a push consumer, empty handler',
    columns: columnsThat('drain'),
    figures: OF_DRAINS,
    task: drainTask(10_000, 50_000),
    quickTask: drainTask(3_000, 9_000),
  },
  {
    id: 'latency',
    title: 'From send to handler, 100 messages of 1 KiB a second',
    columns: columnsThat('handle'),
    figures: ['p50Ms', 'p99Ms', 'cpuPercent', 'residentBytes'],
    task: { workload: 'latency', bodyBytes: KIB, perSecond: 100, warmUpSeconds: 5, seconds: 15 },
    quickTask: { workload: 'latency', bodyBytes: KIB, perSecond: 100, warmUpSeconds: 1, seconds: 3 },
  },
  {
    id: 'nest',
    title: 'Drain through Nest, beside the bare consumer',
    columns: ['ours', 'nest', 'nest-enhanced'],
    figures: OF_DRAINS,
    task: drainTask(10_000, 50_000),
  },
  {
    id: 'embedded-send',
    title: 'Send 1 KiB, 64 in flight: the embedded broker beside the real server',
    columns: ['ours', 'ours-embedded'],
    figures: OF_SENDS,
    task: sendTask(64, KIB, 10_000, 40_000),
  },
  {
    id: 'embedded-drain',
    title: 'Drain a backlog of 1 KiB messages: the embedded broker beside the real server',
    columns: ['ours', 'ours-embedded'],
    figures: OF_DRAINS,
    task: drainTask(10_000, 50_000),
  },
  {
    id: 'idle',
    title: 'A consumer of 8 queues that nothing comes to',
    columns: columnsThat('handle'),
    figures: ['cpuPercent', 'residentBytes'],
    task: { workload: 'idle', seconds: 20 },
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
