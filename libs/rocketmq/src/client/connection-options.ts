// The options of a connection and their checks.

import { type CredentialsProvider, isHeaderText } from '../protocol/credentials/credentials.js';
import type { Credentials } from '../protocol/credentials/metadata.js';
import { type Layout, parseLayout } from '../protocol/model/layout.js';
import type { Clock } from '../support/clock.js';
import { UsageError } from '../support/errors.js';
import type { Logger } from '../support/logger.js';
import {
  anyFunction,
  assertOptions,
  checkedElsewhere,
  mapOf,
  type OptionChecks,
  oneOf,
  positiveNumber,
  rejected,
  trueOrFalse,
  withMethods,
} from '../support/options.js';
import type { Random } from '../support/random.js';
import type { TlsOptions } from '../support/tls.js';
import { type Address, areNameServers, schemeOf } from './endpoint.js';

/** The gRPC implementation that carries the calls of a connection. */
export type Transport = 'http2' | 'grpc-js';

/** How to reach a cluster. */
export interface ConnectionOptions {
  /**
   * Addresses of the cluster's gRPC proxies: `host:8081;host2:8081`. A leading `https://` enables TLS. Or of its name servers, for a
   * cluster without a proxy: `name-server:host:9876;host2:9876`.
   */
  readonly endpoints: string;
  /**
   * Use TLS for every address of the cluster. `true`: the server's certificate must be signed by a CA that Node.js trusts, and contain
   * the name of the host. Default: false, or true if `endpoints` begins with `https://`.
   */
  readonly tls?: boolean | TlsOptions;
  /** The namespace of the cluster. The open-source server does not isolate topics by it. Rejected with `name-server:`. Default: none. */
  readonly namespace?: string;
  /** Required when the server checks access (ACL). A function is called repeatedly, so that keys can be rotated. Default: none. */
  readonly credentials?: Credentials | CredentialsProvider;
  /** How often the function in `credentials` is called, in milliseconds. Default: before the `expiresAt` that it returned, otherwise every minute. */
  readonly credentialsRefreshMs?: number;
  /** The default timeout of one request, in real time, in milliseconds. Default 3000. */
  readonly requestTimeoutMs?: number;
  /**
   * Send everything to `endpoints`, whatever addresses the server advertises (NAT, Docker, port forwards). Rejected with `name-server:`.
   * Default false.
   */
  readonly useBootstrapEndpoints?: boolean;
  /** Translates each address that the server advertises into one that this process can reach. Default: no translation. */
  readonly addressMapping?: (address: Address) => Address;
  /** Where log lines go. It is never closed, and errors that it throws are ignored. Default: nothing is logged. */
  readonly logger?: Logger;
  /**
   * What the message groups or lite topics of a topic are spread over, by topic: the brokers and the queues on each of them, as
   * `{ orders: 'broker-a:8;broker-b:8' }`. For processes that connect to proxies of several brokers: a process that starts while a broker is
   * missing then knows of it, and does not send the messages of its groups elsewhere. The order configuration of the name servers comes first,
   * where the client sees it (`name-server:`). Default: the most brokers that this process has seen.
   */
  readonly topicLayouts?: Readonly<Record<string, string>>;
  /**
   * The gRPC implementation. `http2`: a lean one of this library, which uses a fraction of the CPU. `grpc-js`: the package `@grpc/grpc-js`,
   * an optional peer dependency that you install. Rejected with `name-server:`. Default `http2`.
   */
  readonly transport?: Transport;
  /** The clock for business time (delays, leases, backoff). Pass the clock of a test broker to move time in tests. Default: the system clock. */
  readonly clock?: Clock;
  /** The source of randomness for ids and jitter. Default: the system's random source. */
  readonly random?: Random;
}

/** The check of `topicLayouts`. */
export const layoutsProblem = mapOf((value) =>
  typeof value === 'string' && parseLayout(value) !== undefined
    ? undefined
    : 'must have the form "broker-a:8;broker-b:8", each broker once, with 1 to 1024 queues',
);

const CHECKS: OptionChecks<ConnectionOptions> = {
  endpoints: checkedElsewhere,
  tls: checkedElsewhere,
  namespace: (value) =>
    typeof value === 'string' && isHeaderText(value) ? undefined : 'must be a string of printable ASCII characters',
  credentials: checkedElsewhere,
  credentialsRefreshMs: positiveNumber,
  requestTimeoutMs: positiveNumber,
  useBootstrapEndpoints: trueOrFalse,
  // Not quoted: an address that was put there may have a password.
  addressMapping: (value) => (typeof value === 'string' ? 'must be a function, not a string' : anyFunction(value)),
  logger: withMethods('a Logger', 'debug', 'info', 'warn', 'error'),
  topicLayouts: layoutsProblem,
  transport: oneOf('http2', 'grpc-js'),
  clock: withMethods('a Clock', 'nowMs'),
  random: withMethods('a Random', 'next', 'bytes', 'uuid'),
};

/** @throws UsageError that names the option */
export function assertConnectionOptions(options: ConnectionOptions): void {
  assertOptions(options, { options: CHECKS });
  if (areNameServers(options.endpoints)) checkWithoutProxy(options);
}

/** @throws UsageError for an option that means nothing without a proxy, which would be ignored */
function checkWithoutProxy({ namespace, transport, useBootstrapEndpoints }: ConnectionOptions): void {
  const meaningless = (field: string, why: string): UsageError =>
    rejected(field, `cannot be used with endpoints of name servers: ${why}`);
  if (namespace) throw meaningless('namespace', 'it is a concept of proxies; use a prefix of the names instead');
  if (transport !== undefined) throw meaningless('transport', 'it selects an implementation of gRPC');
  if (useBootstrapEndpoints) throw meaningless('useBootstrapEndpoints', 'name servers carry no messages');
}

/** The option `topicLayouts`, which must have been checked. */
export function layoutsIn({ topicLayouts = {} }: ConnectionOptions): ReadonlyMap<string, Layout> {
  return new Map(Object.entries(topicLayouts).flatMap(([topic, text]) => [[topic, parseLayout(text) ?? []] as const]));
}

/** @throws UsageError when endpoints and the option contradict each other */
export function tlsOf({ endpoints, tls }: ConnectionOptions): boolean | TlsOptions | undefined {
  const scheme = schemeOf(endpoints);
  if (scheme === 'https' && tls === false) {
    throw contradiction('endpoints begins with "https://" and option tls is false');
  }
  if (scheme === 'http' && tls !== undefined && tls !== false) {
    throw contradiction('endpoints begins with "http://" and option tls is set');
  }
  return tls === undefined ? scheme === 'https' : tls;
}

function contradiction(what: string): UsageError {
  return new UsageError('ILLEGAL_OPTION', `${what}: they contradict each other, change one of them`, 'tls');
}
