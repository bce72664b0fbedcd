// The two servers of the contract tests, behind one interface.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LiteGroup, RocketMQAdmin, type TopicType } from 'nestjs-rocketmq/admin';
import { type BackoffPolicy, type Clock, type ConnectionOptions, SECOND_MS } from 'nestjs-rocketmq/client';
import { TestBroker, type TestBrokerOptions } from 'nestjs-rocketmq/testing';
import { testTransport } from '../../fixtures/transport.js';

export type BackendName = 'embedded' | 'rocketmq';

export interface GroupOptions {
  readonly fifo?: boolean;
  readonly maxDeliveryAttempts?: number;
  readonly backoff?: BackoffPolicy;
  readonly lite?: LiteGroup;
}

/** A server that the contract tests run on. */
export interface Backend {
  readonly name: BackendName;
  /** The version of the real server, for instance 5.5.0. */
  readonly version: string | undefined;
  readonly endpoints: string;
  /** The address of the gRPC server, which raw clients call. Reading it where there is none skips the case. */
  readonly proxy: string;
  /** The address for administration: a name server, or the name server port. */
  readonly nameServer: string;
  /** The connection options that clients need for access. */
  readonly access?: Pick<ConnectionOptions, 'tls' | 'credentials'>;
  /** The clock that clients must use, so that they and the server agree. */
  readonly clock: Clock | undefined;
  nowMs(): number;
  createTopic(topic: string, type: TopicType): Promise<void>;
  createGroup(group: string, options: GroupOptions): Promise<void>;
  /** Advances time: moves the clock of the embedded broker, waits on the real one. */
  advance(durationMs: number): Promise<void>;
  /** Like `advance`, while a handler is still running, which a manual clock must know. */
  advanceDuringWork(durationMs: number): Promise<void>;
  /** Waits until the broker is idle; on the real server, for a time that is usually sufficient. */
  quiet(): Promise<void>;
  stop(): Promise<void>;
}

/** Skips the case that throws it: it is about something that this server does not have. See `test/fixtures/leak-checking-environment.mjs`. */
export class NotHere extends Error {
  override readonly name = 'NotHere';
}

/** Whether the real server of this run is older than this release. */
export function isBefore(release: string): boolean {
  return backendName === 'rocketmq' && seemsBefore(release);
}

/** Whether the server seems older than this release to clients: the real one is, or the embedded broker states `ROCKETMQ_TEST_VERSION`. */
export function seemsBefore(release: string): boolean {
  const version = process.env.ROCKETMQ_TEST_VERSION;
  return version !== undefined && version.localeCompare(release, 'en', { numeric: true }) < 0;
}

/** Transaction checks are sent 6 s after the half message, then every 2 s, on both backends. */
export const FIRST_CHECK_MS = 6 * SECOND_MS;
export const CHECK_INTERVAL_MS = 2 * SECOND_MS;
/** The delay of the real server after the due time, from its revive scan and check interval (see docs/protocol-notes.md). */
export const SERVER_SLACK_MS = 4 * SECOND_MS;

/** The backend of this run: a real server if the environment names one, otherwise the embedded broker. */
export function startBackend(): Promise<Backend> {
  const endpoints = process.env.ROCKETMQ_TEST_ENDPOINTS;
  const nameServer = process.env.ROCKETMQ_TEST_NAME_SERVER;
  return endpoints === undefined || nameServer === undefined ? embedded() : real(endpoints, nameServer);
}

/** How many lite topics the servers of {@link startLiteBackend} store. */
export const MAX_LITE_TOPICS = 60;

/** The backend of this run, for lite topics. On a real server they need a proxy in a process of its own, so a cluster is started. */
export async function startLiteBackend(): Promise<Backend> {
  if (backendName === 'embedded') return embedded({ maxLiteTopics: MAX_LITE_TOPICS });
  const { startRocketMQCluster } = await import('../../../tools/servers/rocketmq/cluster.js');
  const limits = { enableLmqQuota: true, maxLmqConsumeQueueNum: MAX_LITE_TOPICS };
  const cluster = await startRocketMQCluster({
    version: process.env.ROCKETMQ_TEST_VERSION,
    proxies: 1,
    brokerSettings: { enableLmq: true, enableMultiDispatch: true, ...limits },
  });
  const [proxy = ''] = cluster.proxies;
  const endpoints = testTransport === 'remoting' ? `name-server:${cluster.nameServer}` : proxy;
  const backend = { ...(await real(endpoints, cluster.nameServer)), proxy };
  const stop = async (): Promise<void> => {
    await backend.stop();
    await cluster.stop();
  };
  return { ...backend, stop };
}

export const backendName: BackendName = process.env.ROCKETMQ_TEST_ENDPOINTS === undefined ? 'embedded' : 'rocketmq';

/** How long requests may take. A busy server answered nothing for three seconds; a send that is repeated comes twice. */
export const REQUEST_MS = backendName === 'embedded' ? 10 * SECOND_MS : 15 * SECOND_MS;
/** The same for the clients of cases about requests that are never answered. */
export const SHORT_REQUEST_MS = backendName === 'embedded' ? 3 * SECOND_MS : 4 * SECOND_MS;

/** How long a backlog may keep an embedded broker busy before its time can move. */
const QUIET_MS = 30 * SECOND_MS;

async function embedded(options: TestBrokerOptions = {}): Promise<Backend> {
  if (process.env.EMBEDDED_STORE !== 'lmdb') return backendOn(await startTestBroker(options));
  const data = await mkdtemp(join(tmpdir(), 'contract-'));
  const backend = backendOn(await startTestBroker({ ...options, data }));
  const stop = async (): Promise<void> => {
    await backend.stop();
    await rm(data, { recursive: true, force: true });
  };
  return { ...backend, stop };
}

/** An embedded broker, configured for the contract tests. @param options overrides */
export function startTestBroker(options: TestBrokerOptions = {}): Promise<TestBroker> {
  return TestBroker.start({
    // What is pulled is held and retried by the consumer, in real time.
    manualClock: testTransport !== 'remoting',
    strict: true,
    recallEnabled: true,
    nameServerPort: 0,
    transactionFirstCheckMs: FIRST_CHECK_MS,
    transactionCheckIntervalMs: CHECK_INTERVAL_MS,
    transactionCheckMax: 60,
    ...options,
  });
}

/** As clients see 4.9.7, of which they pull; of the release that the broker states by itself, they pop. */
const RELEASE_4 = 407;

export function backendOn(broker: TestBroker): Backend {
  const isRemoting = testTransport === 'remoting';
  if (isRemoting && seemsBefore('5.0.0')) broker.broker.inside.stateRelease(RELEASE_4);
  return {
    name: 'embedded',
    version: undefined,
    endpoints: isRemoting ? `name-server:${broker.nameServerEndpoint}` : broker.endpoints,
    proxy: broker.endpoints,
    nameServer: broker.nameServerEndpoint,
    clock: isRemoting ? undefined : broker.clock,
    nowMs: () => broker.clock.nowMs(),
    createTopic: async (name, type) => broker.declareTopic({ name, type }),
    createGroup: async (name, options) => broker.declareGroup({ name, ...options }),
    advance: (durationMs) => (isRemoting ? wait(durationMs) : broker.advance(durationMs, { guardMs: QUIET_MS })),
    advanceDuringWork: (durationMs) =>
      isRemoting ? wait(durationMs) : broker.advance(durationMs, { duringWork: true, guardMs: QUIET_MS }),
    // What was popped is held until its time is over, also when its consumer has left.
    quiet: () => broker.idle({ guardMs: isRemoting ? 60 * SECOND_MS : QUIET_MS }),
    stop: () => broker.stop(),
  };
}

function wait(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

/** @param access the connection options for access as an administrator */
export async function real(endpoints: string, nameServer: string, access: Backend['access'] = {}): Promise<Backend> {
  // What a case needs must be there, also while many suites start at once.
  const admin = new RocketMQAdmin({ nameServer, timeoutMs: 20 * SECOND_MS, ...access });
  const proxy = process.env.ROCKETMQ_TEST_PROXY;
  return {
    name: 'rocketmq',
    version: process.env.ROCKETMQ_TEST_VERSION,
    endpoints,
    get proxy() {
      if (proxy === undefined) throw new NotHere('the server has no proxy');
      return proxy;
    },
    nameServer,
    access,
    clock: undefined,
    nowMs: () => Date.now(),
    createTopic: (topic, type) => admin.createTopic({ topic, type, queues: 8 }),
    createGroup: (consumerGroup, options) => admin.createGroup({ consumerGroup, ...options }),
    advance: wait,
    advanceDuringWork: wait,
    quiet: () => wait(2 * SECOND_MS),
    stop: async () => admin.close(),
  };
}
