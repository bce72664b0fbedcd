// The embedded broker beside the real server: here columns are servers, and what is measured is theirs.

import type { ColumnOptions } from './columns.js';
import type { Figure, Section } from './section.js';

const KIB = 1024;
const MILLION = 1_000_000;
const SERVERS = ['on-real', 'on-memory', 'on-async', 'on-sync'];
const JAVA = ['java-on-real', 'java-on-memory'];
const PROGRAM = 'embedded.mjs';

const OF_SERVERS: readonly Figure[] = ['perSecond', 'serverMicros', 'serverBytes', 'cpuMicros'];

const UNBATCHED: ColumnOptions = { producer: { batching: 'off' } };
const BATCHED: ColumnOptions = { producer: { batching: 'auto', serverVersion: '5.5.0' } };

export const EMBEDDED_SECTIONS: readonly Section[] = [
  {
    id: 'embedded-start',
    title: 'The embedded broker, from the start of its process to the first accepted send; then idle',
    columns: ['on-memory', 'on-async'],
    figures: ['startMs', 'serverBytes'],
    program: PROGRAM,
    startsItself: true,
    task: { workload: 'start', starts: 3, about: 4 },
    quickTask: { workload: 'start', starts: 1, about: 1 },
    quickColumns: ['on-memory'],
  },
  {
    id: 'embedded-send',
    title: 'Send 1 KiB, 32 in flight, one message a request: servers',
    columns: SERVERS,
    figures: OF_SERVERS,
    options: UNBATCHED,
    task: { workload: 'send', inFlight: 32, bodyBytes: KIB, warmUp: 12_000, count: 24_000 },
    quickTask: { workload: 'send', inFlight: 32, bodyBytes: KIB, warmUp: 2_000, count: 6_000 },
  },
  {
    id: 'embedded-batched',
    title: 'Send 1 KiB, 512 in flight, messages share requests: servers',
    columns: SERVERS,
    figures: OF_SERVERS,
    options: BATCHED,
    task: { workload: 'send', inFlight: 512, bodyBytes: KIB, warmUp: 50_000, count: 150_000, perRequest: 4 },
    quickTask: { workload: 'send', inFlight: 512, bodyBytes: KIB, warmUp: 5_000, count: 15_000, perRequest: 4 },
    quickColumns: ['on-real', 'on-memory'],
  },
  {
    id: 'embedded-drain',
    title: 'Drain a backlog of 1 KiB messages by a push consumer: servers',
    columns: SERVERS,
    figures: OF_SERVERS,
    options: {},
    task: { workload: 'drain', bodyBytes: KIB, warmUp: 8_000, count: 24_000 },
    quickTask: { workload: 'drain', bodyBytes: KIB, warmUp: 1_000, count: 3_000 },
    quickColumns: ['on-real', 'on-memory'],
  },
  {
    id: 'embedded-java-send',
    title: 'Send 1 KiB, 64 in flight, by the Java client and its remoting protocol: servers',
    columns: JAVA,
    figures: OF_SERVERS,
    isLong: true,
    task: { workload: 'send', inFlight: 64, bodyBytes: KIB, warmUp: 20_000, count: 100_000 },
  },
  {
    id: 'embedded-java-drain',
    title: 'Drain a backlog of 1 KiB messages by the Java client, which pulls: servers',
    columns: JAVA,
    figures: OF_SERVERS,
    isLong: true,
    task: { workload: 'drain', bodyBytes: KIB, warmUp: 20_000, count: 100_000 },
  },
  {
    id: 'embedded-delays',
    title:
      'Send 1 KiB, 32 in flight, with 1,000,000 delayed messages pending, beside the same with none; what is due meanwhile',
    columns: ['on-memory', 'on-async'],
    figures: ['share', 'cpuShare', 'latestMs', 'perSecond', 'serverBytes'],
    options: UNBATCHED,
    isOnce: true,
    task: {
      workload: 'delays',
      inFlight: 32,
      bodyBytes: KIB,
      pending: MILLION,
      warmUp: 10_000,
      count: 20_000,
      about: 50,
    },
    quickTask: {
      workload: 'delays',
      inFlight: 32,
      bodyBytes: KIB,
      pending: 10_000,
      warmUp: 500,
      count: 2_000,
      about: 4,
    },
    quickColumns: ['on-memory'],
  },
  {
    id: 'embedded-advance',
    title: 'TestBroker.advance(30 days) with 10,000 delayed messages pending, each due at a time of its own',
    columns: ['on-memory'],
    figures: ['advanceSeconds'],
    program: PROGRAM,
    startsItself: true,
    task: { workload: 'advance', pending: 10_000, about: 4 },
    quickTask: { workload: 'advance', pending: 1_000, about: 2 },
  },
];
