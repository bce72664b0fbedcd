// The options of an embedded broker, their checks and the defaults of the engine's and the store's part.

import { hostProblem } from '../support/address.js';
import { type Clock, HOUR_MS } from '../support/clock.js';
import { UsageError } from '../support/errors.js';
import type { Logger } from '../support/logger.js';
import { rejected } from '../support/options.js';
import type { BrokerUser } from './access/users.js';
import type { AdvertisedAddress } from './advertised-address.js';
import type { EngineOptions } from './engine/engine.js';
import type { GroupDeclaration, TopicDeclaration } from './engine/registry.js';
import type { RetentionLimits } from './engine/retention.js';
import type { BrokerTlsOptions } from './server-tls.js';
import type { FlushMode } from './store/lmdb-store.js';

/** Options of an embedded broker. Times are milliseconds. */
export interface EmbeddedBrokerOptions {
  /** The port for clients, by gRPC. Default 0: any free port. A restart keeps it. */
  readonly port?: number;
  /** Further ports on the same host, 0 for any free port: clients see one broker with several addresses. Default: none. */
  readonly morePorts?: readonly number[];
  /** The address to listen on. Default `127.0.0.1`: this machine only. Without `users` the broker requires no credentials. */
  readonly host?: string;
  /**
   * Serves the remoting protocol on this port, as name server and broker: for clients of Java and Go, `RocketMQAdmin` and `mqadmin`; 0: any
   * free port. A restart keeps it. Without `users` the broker requires no credentials. Default: no such port; `nestjs-rocketmq broker`: 9876.
   */
  readonly nameServerPort?: number;
  /**
   * Serves the control port over HTTP: state, metrics, messages delivered now or again, faults; 0: any free port. A restart keeps it.
   * With `users` it is for super users only, otherwise it requires no credentials. Default: no such port.
   */
  readonly controlPort?: number;
  /** The address of the control port. Default `127.0.0.1`, whatever `host` is. */
  readonly controlHost?: string;
  /**
   * The certificate for TLS on all ports, including the name server and the control port. Connections without TLS are then rejected, unless
   * `allowPlaintext` is set. Default: plaintext and, with a self-signed certificate, TLS on the same ports; the control port is plaintext.
   */
  readonly tls?: BrokerTlsOptions;
  /**
   * The users and their permissions; with users, every request must be signed by one of them. Administration requires a user with
   * `isSuper`. Default: no access control.
   */
  readonly users?: readonly BrokerUser[];
  /**
   * The address in routes, if clients reach the broker at another host or port (NAT, containers). Default: host and ports; if `host` is
   * `0.0.0.0` or `::`, the first address of this machine in a network.
   */
  readonly advertisedAddress?: AdvertisedAddress;
  /**
   * Whether routes contain the address that the client used for its request, as a proxy in cluster mode does with
   * `useEndpointPortFromRequest`. Use it for ports that are published under several numbers, and for tunnels. Overrides
   * `advertisedAddress`, except for clients of the remoting protocol, which do not say what they have asked. Default: true if `host` is
   * `0.0.0.0` or `::`, unless `advertisedAddress` has a `port`.
   */
  readonly advertiseAsAsked?: boolean;
  /**
   * The folder in which the broker stores its messages and state. It is created if necessary, and only one broker can use it. Requires
   * the package `lmdb`. Default: in memory, lost when the process ends.
   */
  readonly data?: string;
  /**
   * With `data`: when the broker answers. `sync`: sends, acks and other changes are answered when they are on disk; concurrent calls
   * share a flush. `async`: they are answered at once, and the disk is at most a second behind. Default `sync`.
   */
  readonly flush?: FlushMode;
  /** How long messages are stored, consumed or not. Default: 72 hours with `data`, in memory forever. */
  readonly retentionMs?: number;
  /** The most bytes that messages may take; beyond it the oldest are deleted, consumed or not. Default: no limit. */
  readonly retentionBytes?: number;
  /**
   * In memory: sends, and topics and groups on first use, are rejected with TOO_MANY_REQUESTS when all that is stored would take more than about
   * this many bytes; leases and offsets may take a quarter more. Default 2 GiB.
   */
  readonly maxMemoryBytes?: number;
  /** The most lite topics of all topics together; messages of further ones are rejected with LITE_TOPIC_QUOTA_EXCEEDED. Default 20000. */
  readonly maxLiteTopics?: number;
  /**
   * For development only: the broker's time can be moved ahead, by `control`, the control port or the console, so that delayed messages,
   * retries, leases and transaction checks become due at once. Excludes `clock`. With `data` the moved time is kept: the folder can then be
   * used with this option only. Default false.
   */
  readonly timeTravel?: boolean;
  /**
   * For tests only: as `timeTravel`, and the broker's time stands still until it is moved, so that nothing becomes due by itself. Excludes
   * `clock` and `data`. Default false.
   */
  readonly manualClock?: boolean;
  /** The clock for delays, leases, checks and retention. Default: the machine's. Connections always use real time. */
  readonly clock?: Clock;
  /** Receives log lines. Default: nothing is logged. */
  readonly logger?: Logger;
  /** Rejects topics and groups that are not declared, as a real server does. Default false: they are created on first use. */
  readonly strict?: boolean;
  /** Topics to declare at startup. Default: none. */
  readonly topics?: readonly TopicDeclaration[];
  /** Consumer groups to declare at startup. Default: none. */
  readonly groups?: readonly GroupDeclaration[];
  /** How far ahead delayed messages may be, in milliseconds. Default 24 h, as on the real server (`maxDelayTimeMills`). */
  readonly maxDelayMs?: number;
  /** Whether delayed messages can be recalled. Default false, as on the real server (`recallMessageEnable`). */
  readonly recallEnabled?: boolean;
  /** The time from storing a half message to its first check. Default 6 s (`transactionTimeOut`). */
  readonly transactionFirstCheckMs?: number;
  /** The time between checks. Default 30 s (`transactionCheckInterval`). */
  readonly transactionCheckIntervalMs?: number;
  /** The number of unanswered checks after which a half message is given up. Default 15 (`transactionCheckMax`). */
  readonly transactionCheckMax?: number;
  /** How long a commit or rollback is accepted after the half message or its last check. Default 30 s. */
  readonly transactionDataExpireMs?: number;
}

/** The server's own (`transactionTimeOut`). */
export const DEFAULT_FIRST_CHECK_MS = 6_000;

/** The options of the engine. */
export function engineOptionsOf(options: EmbeddedBrokerOptions, retention: RetentionLimits): EngineOptions {
  const { strict = false, recallEnabled = false } = options;
  const timing = {
    firstCheckMs: options.transactionFirstCheckMs ?? DEFAULT_FIRST_CHECK_MS,
    checkIntervalMs: options.transactionCheckIntervalMs ?? 30_000,
    dataExpireMs: options.transactionDataExpireMs ?? 30_000,
    maxChecks: options.transactionCheckMax ?? 15,
  };
  const indexed = (options.nameServerPort ?? options.controlPort) !== undefined;
  const { maxLiteTopics = MAX_LITE_TOPICS } = options;
  return { strict, recallEnabled, timing, indexed, maxStoreBytes: memoryLimitOf(options), maxLiteTopics, retention };
}

/** RocketMQ's own (`fileReservedTime`). */
const RETENTION_MS = 72 * HOUR_MS;
const MEMORY_BYTES = 2 * 1024 ** 3;
/** RocketMQ's own limit, where it is switched on (`maxLmqConsumeQueueNum`, `enableLmqQuota`). */
const MAX_LITE_TOPICS = 20_000;

/** @throws UsageError */
export function assertStoring(options: EmbeddedBrokerOptions): void {
  for (const field of ['retentionMs', 'retentionBytes', 'maxMemoryBytes', 'maxDelayMs', 'maxLiteTopics'] as const) {
    const value = options[field];
    if (value === undefined || (Number.isFinite(value) && value > 0)) continue;
    throw new UsageError('ILLEGAL_LIMIT', `${field} must be a number above 0, not ${String(value)}`, field);
  }
  if (options.data === '') throw new UsageError('ILLEGAL_FOLDER', 'data must name a folder, not ""', 'data');
  if (options.flush !== undefined && options.flush !== 'sync' && options.flush !== 'async') {
    throw new UsageError('ILLEGAL_FLUSH', `flush must be sync or async, not ${String(options.flush)}`, 'flush');
  }
}

/** @throws UsageError that names the option */
export function assertHosts({ host, controlHost, advertisedAddress }: EmbeddedBrokerOptions): void {
  const hosts = { host, controlHost, 'advertisedAddress.host': advertisedAddress?.host };
  for (const [field, value] of Object.entries(hosts)) {
    const problem = value === undefined ? undefined : hostProblem(value);
    if (problem !== undefined) throw rejected(field, problem, 'embedded broker: ');
  }
}

/** @throws UsageError */
export function assertTimeOptions({ timeTravel, manualClock, clock, data }: EmbeddedBrokerOptions): void {
  const option = manualClock ? 'manualClock' : 'timeTravel';
  if ((timeTravel || manualClock) && clock !== undefined) {
    const message = `${option} excludes the option clock: the broker then has a clock of its own`;
    throw new UsageError('ILLEGAL_TIME_TRAVEL', message, option);
  }
  if (manualClock && data !== undefined) {
    const message =
      'manualClock excludes the option data: where the time stands is not kept; leave data out, or use timeTravel';
    throw new UsageError('ILLEGAL_TIME_TRAVEL', message, option);
  }
}

export function retentionOf({ data, retentionMs, retentionBytes }: EmbeddedBrokerOptions): RetentionLimits {
  return { maxAgeMs: retentionMs ?? (data === undefined ? undefined : RETENTION_MS), maxBytes: retentionBytes };
}

/** Undefined on disk, where retention limits the size. */
function memoryLimitOf({ data, maxMemoryBytes = MEMORY_BYTES }: EmbeddedBrokerOptions): number | undefined {
  return data === undefined ? maxMemoryBytes : undefined;
}
