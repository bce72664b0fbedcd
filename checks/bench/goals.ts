// What the library aims at, beside whom; and whether it is there.

import { columnOf } from './columns.js';
import { type Figures, KINDS } from './lib/figures.js';
import { medianRatio } from './lib/statistics.mjs';
import type { Figure } from './section.js';

const MEGABYTE = 1024 * 1024;

interface Goal {
  section: string;
  kind: Figure;
  /** Default `ours`. */
  column?: string;
  /** Columns; of several the best. Without them `limit` is a figure by itself. */
  against?: readonly string[];
  is: 'at most' | 'at least' | 'below' | 'above';
  /** A ratio, or a figure. */
  limit: number;
}

const of =
  (section: string, kind: Figure, column = 'ours'): ((is: Goal['is'], limit: number, ...against: string[]) => Goal) =>
  (is, limit, ...against) => ({ section, kind, column, is, limit, against });

/** A column whose sends share requests; its goals are measured once there is such a column. */
const BATCHED = 'ours-batched';

const UNBATCHED_SENDS = ['send-64', 'send-512'].flatMap((section) => [
  of(section, 'cpuMicros')('at most', 2, 'socket'),
  of(section, 'cpuMicros')('at most', 1.3, 'lean'),
  of(section, 'cpuMicros')('at most', 0.7, 'raw'),
  of(section, 'cpuMicros')('at most', 0.5, 'node'),
  of(section, 'perSecond')('at least', 2, 'node'),
  of(section, 'perSecond')('at least', 0.9, 'java'),
]);

const BATCHED_SENDS = [
  of('send-64', 'cpuMicros', BATCHED)('at most', 1 / 6, 'node'),
  of('send-64', 'cpuMicros', BATCHED)('at most', 1 / 2, 'java'),
  of('send-64', 'perSecond', BATCHED)('at least', 5, 'node'),
  of('send-64', 'perSecond', BATCHED)('at least', 2, 'java'),
  of('send-512', 'cpuMicros', BATCHED)('at most', 1 / 8, 'node'),
  of('send-512', 'cpuMicros', BATCHED)('at most', 1 / 3, 'java'),
  of('send-512', 'perSecond', BATCHED)('at least', 6, 'node'),
  of('send-512', 'perSecond', BATCHED)('at least', 3, 'java'),
];

const ONE_AT_A_TIME = ['ours', BATCHED].flatMap((column) =>
  (['p50Ms', 'p99Ms'] as const).flatMap((kind) => [
    of('send-1', kind, column)('below', 1, 'node'),
    of('send-1', kind, column)('at most', 1, 'java'),
  ]),
);

/** Beside the real server on the same machine, in the same round. */
const EMBEDDED = [
  of('embedded-start', 'startMs', 'on-memory')('below', 300),
  of('embedded-start', 'serverBytes', 'on-memory')('below', 120 * MEGABYTE),
  ...['embedded-send', 'embedded-batched', 'embedded-drain'].flatMap((section) => [
    of(section, 'perSecond', 'on-memory')('at least', 1, 'on-real'),
    of(section, 'perSecond', 'on-async')('at least', 1, 'on-real'),
    of(section, 'perSecond', 'on-sync')('at least', 0.5, 'on-real'),
    ...['on-memory', 'on-async', 'on-sync'].map((column) => {
      return of(section, 'serverMicros', column)('at most', 1, 'on-real');
    }),
  ]),
  ...['on-memory', 'on-async'].flatMap((column) => [
    of('embedded-delays', 'share', column)('at least', 0.8),
    of('embedded-delays', 'latestMs', column)('at most', 100),
  ]),
  ...['embedded-java-send', 'embedded-java-drain'].map((section) => {
    return of(section, 'serverMicros', 'java-on-memory')('at most', 0.7, 'java-on-real');
  }),
  of('embedded-advance', 'advanceSeconds', 'on-memory')('below', 2),
];

/** There is no HTTP/2 to pay without a proxy. */
const REMOTING = [
  ...['remoting-send-64', 'remoting-send-512'].flatMap((section) => [
    of(section, 'cpuMicros', 'ours-remoting')('at most', 1, 'ours'),
    of(section, 'cpuMicros', 'ours-remoting-batched')('at most', 1, 'ours-batched'),
    of(section, 'cpuMicros', 'ours-remoting')('at most', 1.7, 'socket-remoting'),
    of(section, 'perSecond', 'ours-remoting')('at least', 1, 'java-remoting'),
  ]),
  of('remoting-drain', 'cpuMicros', 'ours-remoting')('at most', 1, 'ours'),
  of('remoting-drain', 'perSecond', 'ours-remoting')('at least', 1, 'java-remoting-pop'),
  // That one pulls, and acknowledges nothing.
  of('remoting-drain', 'cpuMicros', 'ours-remoting')('at most', 1.6, 'go-remoting'),
  of('remoting-drain', 'cpuMicros', 'ours-remoting-pull')('at most', 1, 'go-remoting'),
  of('remoting-drain', 'perSecond', 'ours-remoting-pull')('at least', 1, 'go-remoting'),
  of('remoting-latency', 'p50Ms', 'ours-remoting')('at most', 1, 'java-remoting-pop'),
];

/** On a broker of 4.x, beside the Java client of 4.x, which pulls as well. */
const PULLING = [
  of('pull-send-64', 'cpuMicros', 'ours-remoting')('at most', 0.5, 'java-remoting'),
  of('pull-drain', 'cpuMicros', 'ours-remoting')('at most', 0.8, 'java-remoting'),
  of('pull-drain', 'perSecond', 'ours-remoting')('at least', 1, 'java-remoting'),
  of('pull-drain', 'peakBytes', 'ours-remoting')('at most', 1 / 4, 'java-remoting'),
  of('pull-latency', 'p99Ms', 'ours-remoting')('at most', 1, 'java-remoting'),
];

export const GOALS: readonly Goal[] = [
  ...UNBATCHED_SENDS,
  ...BATCHED_SENDS,
  ...ONE_AT_A_TIME,
  of('send-512', 'p50Ms')('at most', 1, 'java'),
  of('drain', 'cpuMicros')('at most', 1, 'lean'),
  of('drain', 'cpuMicros')('at most', 1 / 4, 'node'),
  of('drain', 'cpuMicros')('at most', 1 / 5, 'java'),
  of('drain', 'perSecond')('at least', 3, 'node'),
  of('drain', 'perSecond')('at least', 3, 'java'),
  ...['latency', 'latency-1000'].flatMap((section) => [
    of(section, 'p50Ms')('at most', 1, 'node', 'java'),
    of(section, 'p99Ms')('at most', 1, 'node', 'java'),
  ]),
  of('latency-1000', 'p99Ms')('at most', 0.6, 'node', 'java', 'go'),
  of('nest', 'perSecond', 'nest')('at least', 0.9, 'ours'),
  of('nest', 'perSecond', 'nest-enhanced')('at least', 0.8, 'ours'),
  // The library extends classes of @nestjs/microservices, whose own loading is not ours to make faster.
  of('loading', 'requireMs', 'after-microservices')('at most', 60),
  of('loading', 'importMs', 'after-microservices')('at most', 120),
  // Nothing that can be measured.
  of('telemetry-send', 'cpuMicros', 'ours-without-sdk')('at most', 1.1, 'ours'),
  of('telemetry-drain', 'cpuMicros', 'ours-without-sdk')('at most', 1.1, 'ours'),
  ...['telemetry-send', 'telemetry-drain'].flatMap((section) => [
    of(section, 'cpuMicros', 'ours-unsampled')('at most', 1.1, 'ours'),
    of(section, 'cpuMicros', 'ours-traced')('at most', 1.1, 'ours-by-hand'),
  ]),
  of('backlog', 'heapGrowthBytes')('at most', 5 * MEGABYTE),
  of('backlog', 'residentBytes')('below', 150 * MEGABYTE),
  of('idle', 'cpuPercent')('at most', 1),
  ...REMOTING,
  ...PULLING,
  ...EMBEDDED,
];

const HOLDS: Record<Goal['is'], (figure: number, limit: number) => boolean> = {
  'at most': (figure, limit) => figure <= limit,
  'at least': (figure, limit) => figure >= limit,
  below: (figure, limit) => figure < limit,
  above: (figure, limit) => figure > limit,
};

export function evaluateGoal(
  { section, kind, column = 'ours', against = [], is, limit }: Goal,
  figures: Figures,
): { goal: string; figure: string; verdict: 'met' | 'not met' | 'not measured' } {
  const { label, write } = KINDS[kind];
  const other = against.map((id) => columnOf(id).label).join(' and ');
  const what = `${section}, ${labelOf(column)}: ${label} ${is}`;
  const goal = against.length === 0 ? `${what} ${write(limit)}` : `${what} ${ratio(limit)} × ${other}`;
  const figure = figureOf({ section, kind, column, against }, figures);
  if (figure === undefined) return { goal, figure: '', verdict: 'not measured' };
  const verdict = HOLDS[is](figure, limit) ? 'met' : 'not met';
  return { goal, figure: against.length === 0 ? write(figure) : `${ratio(figure)} ×`, verdict };
}

/** Of a ratio to several, that to the best of them: to the least, as only latencies have several. */
function figureOf(
  { section, kind, column, against }: { section: string; kind: Figure; column: string; against: readonly string[] },
  figures: Figures,
) {
  if (against.length === 0) return figures.summary(section, column, kind)?.median;
  const own = figures.byRound(section, column, kind);
  const others = against.map((id) => figures.byRound(section, id, kind));
  const best = own.map((_, round) => {
    const there = others.flatMap((byRound) => byRound[round] ?? []);
    return there.length < others.length ? undefined : Math.min(...there);
  });
  return medianRatio(own, best);
}

const ratio = (value: number) => value.toFixed(value < 0.995 ? 3 : 2).replace(/0$/, '');

function labelOf(column: string): string {
  return column === BATCHED ? 'nestjs-rocketmq, batching' : columnOf(column).label;
}
