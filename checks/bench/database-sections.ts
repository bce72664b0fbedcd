// What becomes of a message in a database, beside the job queues on PostgreSQL that one would take instead. Servers are databases here.

import type { Figure, Section } from './section.js';

const COLUMNS = ['outbox', 'graphile-worker', 'pg-boss'];
const OF_HANDLERS: readonly Figure[] = ['p50Ms', 'p99Ms', 'cpuMicros', 'serverMicros'];
const OF_DRAINS: readonly Figure[] = ['cpuMicros', 'serverMicros', 'perSecond', 'residentBytes'];

const commits = (perSecond: number): Section => ({
  id: `database-commits-${perSecond}`,
  title: `From commit to handler, ${perSecond} transactions with a message of 1 KB a second`,
  columns: COLUMNS,
  figures: OF_HANDLERS,
  isLong: true,
  task: { workload: 'commits', perSecond, warmUpSeconds: 3, seconds: 10 },
});

export const DATABASE_SECTIONS: readonly Section[] = [
  commits(50),
  commits(500),
  {
    id: 'database-backlog',
    title: 'Messages of 1 KB that were committed before, from database to handler',
    columns: COLUMNS,
    figures: OF_DRAINS,
    isLong: true,
    task: { workload: 'backlog', warmUp: 5_000, count: 15_000, about: 20 },
  },
  {
    id: 'database-due',
    title: 'Scheduled messages of 1 KB that are due, from database to handler',
    columns: COLUMNS,
    figures: OF_DRAINS,
    isLong: true,
    task: { workload: 'due', warmUp: 5_000, count: 15_000, about: 25 },
  },
];
