// Who is compared: each column is one program with its options, run in a process of its own.

import type { RocketMQModuleOptions } from 'nestjs-rocketmq';
import type { ConnectionOptions, ProducerOptions, PushConsumerOptions } from 'nestjs-rocketmq/client';
import type { ServerKind } from './lib/servers.js';

/**
 * Of a program: what the classes of the library take, how it is traced; under Nest, those of the module and whether there are global enhancers; for the floors, by what they call and how many messages a request has.
 */
export interface ColumnOptions {
  connection?: Partial<ConnectionOptions>;
  producer?: Partial<ProducerOptions>;
  consumer?: Partial<PushConsumerOptions>;
  telemetry?: 'with-sdk' | 'without-sdk' | 'unsampled' | 'by-hand';
  module?: Partial<RocketMQModuleOptions>;
  enhanced?: boolean;
  /** That are loaded before the library. */
  packages?: readonly string[];
  wire?: 'grpc-js' | 'http2';
  perRequest?: number;
  /** Of the Java client by name servers: whether its group pops, as ours do, instead of pulling. */
  pops?: boolean;
}

export interface Column {
  id: string;
  label: string;
  /** A file of workloads/, `java` or `go`. */
  program: string;
  /** Of the program. */
  options?: ColumnOptions;
  /** The sections that it is in: sends, drains, and what is measured by a handler; others name it themselves. */
  does?: readonly ('send' | 'drain' | 'handle')[];
  /** Default `real`. */
  server?: ServerKind;
  /** How it reaches the server; default `proxy`. */
  by?: 'proxy' | 'name-server';
  /** How much more warm-up it gets than the others, by workload; default 1. */
  warmUpFactor?: Readonly<Record<string, number>>;
  /** How many more messages make a run of the same length; default 1. */
  countFactor?: number;
  /** Its oldest Node.js; on an older one it is left out. Default: that of the library. */
  minNodeMajor?: number;
  /** Left out by --quick. */
  isSlowToGet?: boolean;
}

/** One message a request, whatever the server. */
const UNBATCHED: ColumnOptions = { producer: { batching: 'off' } };

const NEST = ['reflect-metadata', '@nestjs/common', '@nestjs/core'];

const COLUMNS: readonly Column[] = [
  {
    id: 'ours',
    label: 'nestjs-rocketmq',
    program: 'nestjs-rocketmq.mjs',
    options: UNBATCHED,
    does: ['send', 'drain', 'handle'],
  },
  {
    id: 'ours-batched',
    label: 'nestjs-rocketmq, messages share requests',
    program: 'nestjs-rocketmq.mjs',
    options: { producer: { batching: 'auto', serverVersion: '5.5.0' } },
    countFactor: 4,
    does: ['send'],
  },
  {
    id: 'ours-grpc-js',
    label: 'nestjs-rocketmq, transport grpc-js',
    program: 'nestjs-rocketmq.mjs',
    options: { ...UNBATCHED, connection: { transport: 'grpc-js' } },
    does: ['send', 'drain', 'handle'],
    isSlowToGet: true,
  },
  {
    id: 'ours-without-sdk',
    label: 'nestjs-rocketmq, telemetry without an SDK',
    program: 'nestjs-rocketmq.mjs',
    options: { ...UNBATCHED, telemetry: 'without-sdk' },
  },
  {
    id: 'ours-traced',
    label: 'nestjs-rocketmq, telemetry with an SDK',
    program: 'nestjs-rocketmq.mjs',
    options: { ...UNBATCHED, telemetry: 'with-sdk' },
  },
  {
    id: 'ours-unsampled',
    label: 'nestjs-rocketmq, telemetry with an SDK that samples nothing',
    program: 'nestjs-rocketmq.mjs',
    options: { ...UNBATCHED, telemetry: 'unsampled' },
  },
  {
    id: 'ours-by-hand',
    label: 'nestjs-rocketmq without telemetry, the same spans by hand around it',
    program: 'nestjs-rocketmq.mjs',
    options: { ...UNBATCHED, telemetry: 'by-hand' },
  },
  {
    id: 'node',
    label: 'rocketmq-client-nodejs',
    program: 'rocketmq-client-nodejs.mjs',
    does: ['send', 'drain', 'handle'],
  },
  // A JVM compiles what is hot while it runs, and 10,000 messages are not enough for it. See README.md.
  {
    id: 'java',
    label: 'rocketmq-client-java',
    program: 'java',
    warmUpFactor: { send: 5 },
    does: ['send', 'drain', 'handle'],
    isSlowToGet: true,
  },
  {
    id: 'java-warm',
    label: 'rocketmq-client-java, in the long run',
    program: 'java',
    warmUpFactor: { drain: 5 },
    does: ['drain'],
    isSlowToGet: true,
  },
  {
    id: 'raw',
    label: 'raw grpc-js loop',
    program: 'floors/floor.mjs',
    options: { wire: 'grpc-js' },
    does: ['send', 'drain'],
  },
  {
    id: 'lean',
    label: 'lean node:http2 loop',
    program: 'floors/floor.mjs',
    options: { wire: 'http2' },
    does: ['send', 'drain'],
  },
  {
    id: 'go',
    label: 'rocketmq-clients golang/v5',
    program: 'go',
    does: ['send', 'drain', 'handle'],
    isSlowToGet: true,
  },
  {
    id: 'socket',
    label: 'socket, frames made beforehand',
    program: 'floors/socket.mjs',
    does: ['send', 'drain'],
  },
  {
    id: 'go-remoting',
    label: 'rocketmq-client-go/v2 (by name server)',
    program: 'go',
    by: 'name-server',
    isSlowToGet: true,
  },
  {
    id: 'socket-remoting',
    label: 'socket, frames made beforehand, by name server',
    program: 'floors/socket.mjs',
    by: 'name-server',
  },
  ...[8, 32].flatMap((perRequest) =>
    (
      [
        { id: 'raw', label: 'raw grpc-js loop', wire: 'grpc-js' },
        { id: 'lean', label: 'lean node:http2 loop', wire: 'http2' },
      ] as const
    ).map(({ id, label, wire }) => ({
      id: `${id}-${perRequest}`,
      label: `${label}, ${perRequest} messages a request`,
      program: 'floors/floor.mjs',
      options: { wire, perRequest },
    })),
  ),
  {
    id: 'ours-remoting',
    label: 'nestjs-rocketmq, by name server',
    program: 'nestjs-rocketmq.mjs',
    by: 'name-server',
    options: UNBATCHED,
  },
  {
    id: 'ours-remoting-pull',
    label: 'nestjs-rocketmq, by name server, a group that pulls',
    program: 'nestjs-rocketmq.mjs',
    by: 'name-server',
    options: { consumer: { consume: 'pull' } },
  },
  {
    id: 'ours-remoting-batched',
    label: 'nestjs-rocketmq, by name server, messages share requests',
    program: 'nestjs-rocketmq.mjs',
    by: 'name-server',
    options: { producer: { batching: 'auto' } },
    countFactor: 4,
  },
  {
    id: 'java-remoting',
    label: 'rocketmq-client (Java, by name server)',
    program: 'java',
    by: 'name-server',
    warmUpFactor: { send: 5 },
    isSlowToGet: true,
  },
  {
    id: 'java-remoting-warm',
    label: 'rocketmq-client (Java, by name server), in the long run',
    program: 'java',
    by: 'name-server',
    warmUpFactor: { drain: 5 },
    isSlowToGet: true,
  },
  {
    id: 'java-remoting-pop',
    label: 'rocketmq-client (Java, by name server), a group that pops',
    program: 'java',
    by: 'name-server',
    options: { pops: true },
    isSlowToGet: true,
  },
  // Here columns are servers, and the client is the same on each.
  { id: 'on-real', label: 'Apache RocketMQ', program: 'nestjs-rocketmq.mjs' },
  { id: 'on-memory', label: 'embedded, in memory', program: 'nestjs-rocketmq.mjs', server: 'memory' },
  { id: 'on-async', label: 'embedded, on disk, async', program: 'nestjs-rocketmq.mjs', server: 'async' },
  { id: 'on-sync', label: 'embedded, on disk, sync', program: 'nestjs-rocketmq.mjs', server: 'sync' },
  { id: 'java-on-real', label: 'Apache RocketMQ', program: 'java', by: 'name-server', isSlowToGet: true },
  {
    id: 'java-on-memory',
    label: 'embedded, in memory',
    program: 'java',
    by: 'name-server',
    server: 'remoting',
    isSlowToGet: true,
  },
  // What a database hands over.
  { id: 'outbox', label: 'nestjs-rocketmq, with a broker', program: 'outbox.mjs', server: 'postgresql' },
  {
    id: 'graphile-worker',
    label: 'graphile-worker',
    program: 'graphile-worker.mjs',
    server: 'postgresql',
    minNodeMajor: 22,
  },
  { id: 'pg-boss', label: 'pg-boss', program: 'pg-boss.mjs', server: 'postgresql', minNodeMajor: 22 },
  { id: 'nest', label: '@RocketMQListener', program: 'nest.mjs', options: { enhanced: false } },
  {
    id: 'nest-enhanced',
    label: '@RocketMQListener, pipe + interceptor',
    program: 'nest.mjs',
    options: { enhanced: true },
  },
  {
    id: 'after-core',
    label: 'after @nestjs/core',
    program: 'loading.mjs',
    options: { packages: NEST },
  },
  {
    id: 'after-microservices',
    label: 'after @nestjs/core and @nestjs/microservices',
    program: 'loading.mjs',
    options: { packages: [...NEST, '@nestjs/microservices'] },
  },
];

/** @returns the columns that do it */
export function columnsThat(what: 'send' | 'drain' | 'handle'): string[] {
  return COLUMNS.filter(({ does }) => does?.includes(what)).map(({ id }) => id);
}

export function columnOf(id: string): Column {
  const found = COLUMNS.find((column) => column.id === id);
  if (found === undefined) throw new Error(`there is no column "${id}"`);
  return found;
}
