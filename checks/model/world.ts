// The processes of a run: a cluster of two brokers, with a proxy or without one, and the members that use it.

import { join } from 'node:path';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { type RunningCluster, startRocketMQCluster } from '../../tools/servers/rocketmq/cluster.js';
import { TYPESCRIPT_ARGS } from '../../tools/typescript/typescript-args.js';
import { Program } from '../chaos/program.js';
import { FactFile, nowMs } from './facts.js';
import { GROUPS, type MemberOptions, TOPICS } from './member-options.js';

/** `http2` is by a proxy, `remoting` by the name server. */
export type ModelTransport = 'http2' | 'remoting';

const PRODUCERS = 2;
const CONSUMERS = 3;
const QUEUES = 4;
/** A proxy takes 20 s by default to notice that a broker is there again, and a broker 30 s to register with a name server that has restarted. */
const PROXY_SETTINGS = { topicRouteServiceCacheRefreshSeconds: 2, useEndpointPortFromRequest: true };
const BROKER_SETTINGS = { registerNameServerPeriod: 10_000 };
/** As the guide recommends for message groups on several brokers: a process that starts while one is missing cannot know of it otherwise. */
const NAME_SERVER_SETTINGS = { orderMessageEnable: true };
/** Nothing may become a dead letter here: kills cost attempts. */
const GROUP_SETTINGS = {
  maxDeliveryAttempts: 100,
  backoff: { kind: 'exponential', initialMs: 500, maxMs: 2_000, multiplier: 2 },
} as const;

/** A process that faults hit. */
export interface Target {
  readonly name: string;
  /** As facts call it now. */
  by(): string;
  /** Ends it at once, and starts it again after `downMs`; resolves when it is ready. */
  kill(downMs: number): Promise<void>;
  pause(): void;
  continue(): void;
}

export interface World {
  readonly servers: readonly Target[];
  readonly members: readonly Target[];
  /** Ends the producers in good order. */
  stopProducers(): Promise<void>;
  /** Ends everything; idempotent. */
  stop(): Promise<void>;
}

export interface WorldOptions {
  readonly transport: ModelTransport;
  readonly folder: string;
  readonly seed: number;
  readonly log: (line: string) => void;
  /** Called when a process ends unexpectedly. */
  readonly onLost: (how: string) => void;
}

export async function startWorld({ transport, folder, seed, log, onLost }: WorldOptions): Promise<World> {
  const cluster = await startRocketMQCluster({
    brokers: 2,
    proxies: transport === 'http2' ? 1 : 0,
    brokerHeap: '512m',
    brokerSettings: BROKER_SETTINGS,
    proxySettings: PROXY_SETTINGS,
    nameServerSettings: NAME_SERVER_SETTINGS,
    log,
  });
  cluster.failed.catch((error: Error) => onLost(error.message));
  const facts = new FactFile(folder, 'run');
  const endpoints = transport === 'http2' ? cluster.proxies.join(';') : `name-server:${cluster.nameServer}`;
  const memberOf = (role: MemberOptions['role'], index: number) =>
    new Member({ role, name: `${role}-${index}`, start: 0, endpoints, folder, seed: seed + index }, facts, onLost);
  const producers = Array.from({ length: PRODUCERS }, (_, index) => memberOf('producer', index));
  const consumers = Array.from({ length: CONSUMERS }, (_, index) => memberOf('consumer', index));
  const stopAll = (members: readonly Member[]) => Promise.all(members.map((member) => member.stop()));
  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= stopAll([...producers, ...consumers]).then(async () => {
      facts.close();
      await cluster.stop();
    });
    return stopping;
  };
  try {
    await createResources(cluster.nameServer);
    await Promise.all([...producers, ...consumers].map((member) => member.start()));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    servers: serversOf(cluster, facts),
    members: [...producers, ...consumers],
    stopProducers: async () => void (await stopAll(producers)),
    stop,
  };
}

async function createResources(nameServer: string): Promise<void> {
  const admin = new RocketMQAdmin({ nameServer, timeoutMs: 20_000 });
  try {
    await admin.createTopic({ topic: TOPICS.ordered, type: 'fifo', queues: QUEUES, layout: 'present' });
    await admin.createTopic({ topic: TOPICS.plain, type: 'normal', queues: QUEUES });
    await admin.createGroup({ consumerGroup: GROUPS.ordered, fifo: true, ...GROUP_SETTINGS });
    await admin.createGroup({ consumerGroup: GROUPS.plain, ...GROUP_SETTINGS });
  } finally {
    await admin.close();
  }
}

function serversOf(cluster: RunningCluster, facts: FactFile): Target[] {
  const died = (by: string) => facts.add({ kind: 'died', by, atMs: nowMs() });
  const brokers = cluster.brokers.map((_, index): Target => {
    const name = index === 0 ? 'broker' : (`broker-${index}` as const);
    return {
      name,
      by: () => name,
      kill: (downMs) =>
        downFor(
          downMs,
          () => cluster.killBroker(index).then(() => died(name)),
          () => cluster.reviveBroker(index),
        ),
      pause: () => cluster.signal(name, 'SIGSTOP'),
      continue: () => cluster.signal(name, 'SIGCONT'),
    };
  });
  const nameServer: Target = {
    name: 'namesrv',
    by: () => 'namesrv',
    kill: (downMs) =>
      downFor(
        downMs,
        () => cluster.killNameServer(0).then(() => died('namesrv')),
        () => cluster.reviveNameServer(0),
      ),
    pause: () => cluster.signal('namesrv', 'SIGSTOP'),
    continue: () => cluster.signal('namesrv', 'SIGCONT'),
  };
  return [...brokers, nameServer];
}

async function downFor(downMs: number, kill: () => Promise<void>, start: () => Promise<void>): Promise<void> {
  await kill();
  await new Promise((resolve) => setTimeout(resolve, downMs));
  await start();
}

/** A process of checks/model/member.ts, under a name that outlives it. */
class Member implements Target {
  private starts = 0;
  private program: Program | undefined;

  constructor(
    private readonly options: MemberOptions,
    private readonly facts: FactFile,
    private readonly onLost: (how: string) => void,
  ) {}

  get name(): string {
    return this.options.name;
  }

  by(): string {
    return `${this.name}.${this.starts}`;
  }

  async start(): Promise<void> {
    const { name } = this;
    const options = { ...this.options, start: ++this.starts };
    const main = join(import.meta.dirname, 'member.ts');
    this.program = new Program({
      name,
      args: [...TYPESCRIPT_ARGS, main, JSON.stringify(options)],
      env: process.env,
      logFolder: this.options.folder,
      onLost: (how) => this.onLost(`${name} ended by itself: ${how}`),
    });
    await this.program.start();
  }

  async kill(downMs: number): Promise<void> {
    await downFor(
      downMs,
      () => this.end((program) => program.kill()),
      () => this.start(),
    );
  }

  pause(): void {
    this.program?.pause();
  }

  continue(): void {
    this.program?.continue();
  }

  stop(): Promise<void> {
    return this.end((program) => program.terminate());
  }

  private async end(how: (program: Program) => Promise<void>): Promise<void> {
    const by = this.by();
    if (this.program === undefined) return;
    await how(this.program);
    this.program = undefined;
    this.facts.add({ kind: 'died', by, atMs: nowMs() });
  }
}
