// What grows, and how far: each part has its points, and what is measured at each. A figure of a cost is per message or per consumer, so
// that a cost that grows in proportion stays level.

const MILLION = 1_000_000;

export interface Figure {
  label: string;
  /** Behind the point; default 1. */
  digits?: number;
  /** Whether it must stay level; of others nothing is said. */
  isCost?: boolean;
}

export interface Part {
  id: string;
  title: string;
  /** What the points count. */
  of: string;
  points: readonly number[];
  /** By their name in what is measured. */
  figures: Readonly<Record<string, Figure>>;
  /** The figure of the chart. */
  drawn: string;
}

const CLIENT_MICROS: Figure = { label: 'client CPU µs/message', isCost: true };
const SERVER_MICROS: Figure = { label: 'broker CPU µs/message', isCost: true };
const PER_SECOND: Figure = { label: 'messages/s', digits: 0 };
const SERVER_BYTES: Figure = { label: 'broker bytes/message', digits: 0, isCost: true };

const IDLE = {
  startMs: { label: 'start ms each', digits: 2, isCost: true },
  heapKiB: { label: 'heap KiB each', isCost: true },
  idleMicros: { label: 'idle CPU µs/s each', digits: 0, isCost: true },
  serverIdleMicros: { label: 'broker CPU µs/s each', digits: 0, isCost: true },
  cpuMicros: CLIENT_MICROS,
};

const STORED = {
  fillMicros: { label: 'broker CPU µs/stored message', isCost: true },
  serverBytes: SERVER_BYTES,
  serverMicros: { label: 'broker CPU µs/message drained', isCost: true },
  cpuMicros: CLIENT_MICROS,
  perSecond: PER_SECOND,
};

const DELAYED = {
  serverMicros: { label: 'broker CPU µs/message sent meanwhile', isCost: true },
  cpuShare: { label: 'beside the same with none', digits: 2 },
  latestMs: { label: 'latest of what is due, ms', digits: 0 },
  serverBytes: SERVER_BYTES,
};

export const PARTS: readonly Part[] = [
  {
    id: 'groups',
    title:
      'Consumer groups in one process, each with a topic of its own, over one connection; then 10 messages for each',
    of: 'groups',
    points: [1, 10, 100, 1_000],
    figures: IDLE,
    drawn: 'idleMicros',
  },
  {
    id: 'topics',
    title: 'Topics of one consumer group; then 10 messages in each',
    of: 'topics',
    points: [1, 10, 100, 1_000],
    figures: IDLE,
    drawn: 'idleMicros',
  },
  {
    id: 'message-groups',
    title: 'Message groups among 20,000 ordered messages',
    of: 'message groups',
    points: [10, 100, 1_000, 10_000],
    figures: { cpuMicros: CLIENT_MICROS, serverMicros: SERVER_MICROS, perSecond: PER_SECOND },
    drawn: 'cpuMicros',
  },
  ...['memory', 'async'].map((kind) => ({
    id: `backlog-${kind}`,
    title: `Backlog of 1 KiB messages in an embedded broker (${kind}), of which 20,000 are drained`,
    of: 'messages',
    points: [30_000, 100_000, 300_000, MILLION],
    figures: STORED,
    drawn: 'serverMicros',
  })),
  ...['memory', 'async'].map((kind) => ({
    id: `delayed-${kind}`,
    title: `Delayed messages that wait in an embedded broker (${kind})`,
    of: 'messages',
    points: [1_000, 10_000, 100_000, MILLION],
    figures: DELAYED,
    drawn: 'serverMicros',
  })),
  {
    id: 'processes',
    title: 'Consumer processes on one real broker, by its name server; a handler takes 5 ms, 256 of them run at once',
    of: 'processes',
    points: [1, 2, 4],
    figures: { cpuMicros: CLIENT_MICROS, serverMicros: SERVER_MICROS, perSecond: PER_SECOND },
    drawn: 'cpuMicros',
  },
  {
    id: 'brokers',
    title: 'Real brokers that two such processes consume from',
    of: 'brokers',
    points: [1, 2, 4],
    figures: { cpuMicros: CLIENT_MICROS, serverMicros: SERVER_MICROS, perSecond: PER_SECOND },
    drawn: 'cpuMicros',
  },
];
