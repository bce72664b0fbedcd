// What an embedded broker can be told, and the defaults of the engine's part.

import type { Clock } from '../support/clock.js';
import type { Logger } from '../support/logger.js';
import type { BrokerUser } from './access/users.js';
import type { EngineOptions } from './engine/engine.js';
import type { GroupDeclaration, TopicDeclaration } from './engine/registry.js';
import type { RetentionLimits } from './engine/retention.js';
import type { BrokerTlsOptions } from './server-tls.js';
import type { BrokerAddress } from './services/broker-context.js';
import type { FlushMode } from './store/lmdb-store.js';
import { memoryLimitOf } from './storing-options.js';

/** Options of an embedded broker. Times are milliseconds. */
export interface EmbeddedBrokerOptions {
  /** Default 0: a free one. Kept over stop and start. */
  readonly port?: number;
  /** Further ports on the same host, 0 for a free one: clients see one broker under several addresses. Default: none. */
  readonly morePorts?: readonly number[];
  /** The address to listen on. Default `127.0.0.1`: this machine only. Without `users` the broker asks nobody for a key. */
  readonly host?: string;
  /**
   * Serves administration there, so that `RocketMQAdmin` works on this broker; 0: a free port. Kept over stop and start. Default:
   * no such port. Without `users` the broker asks nobody for a key.
   */
  readonly adminPort?: number;
  /**
   * Serves the control port there, by HTTP: state, metrics, messages delivered now or again, faults; 0: a free port. Kept over stop and
   * start. With `users` it is for super users, else it asks nobody for a key. Default: no such port.
   */
  readonly controlPort?: number;
  /** The address of the control port. Default `127.0.0.1`, whatever `host` is. */
  readonly controlHost?: string;
  /**
   * The certificate for TLS on every port, the admin and the control port too. Connections without TLS are then refused, unless
   * `allowPlaintext` is set. Default: plaintext and, with a self-signed certificate, TLS on the same ports; the control port is plaintext.
   */
  readonly tls?: BrokerTlsOptions;
  /**
   * Who may do what; requests then must be signed by one of them. Default: everyone may do all. Administration is for users
   * with `isSuper`.
   */
  readonly users?: readonly BrokerUser[];
  /** What routes tell clients, where that differs from host and port (NAT, containers). Default: host and port. */
  readonly advertisedAddress?: BrokerAddress;
  /**
   * Whether routes tell each client the address by which it asked, as a proxy in cluster mode does with `useEndpointPortFromRequest`:
   * for ports that are published under several numbers, and tunnels. Goes before `advertisedAddress`. Default false.
   */
  readonly advertiseAsAsked?: boolean;
  /**
   * The folder in which messages and all that is known of them are kept, for this broker alone; made when it is not there. Needs the
   * package `lmdb`. Default: in memory, gone with the process.
   */
  readonly data?: string;
  /**
   * What an answer waits for, with `data`. `sync`: sends, acks and all else are answered when they are on disk; calls at one time
   * share a flush. `async`: they are answered at once, and the disk is at most a second behind. Default `sync`.
   */
  readonly flush?: FlushMode;
  /** Messages are deleted when they were stored this long ago, consumed or not. Default: with `data` 72 hours, in memory never. */
  readonly retentionMs?: number;
  /** The oldest messages are deleted when all take more than this, consumed or not. Default: without limit. */
  readonly retentionBytes?: number;
  /** In memory: while the messages take about this much, sends are refused with TOO_MANY_REQUESTS. Default 2 GiB. */
  readonly maxMemoryBytes?: number;
  /** Business time: delays, leases, checks, retention. Default: the machine's. Connections always live in real time. */
  readonly clock?: Clock;
  /** Where log lines go. Default: drops everything. */
  readonly logger?: Logger;
  /** Refuses topics and groups that were not declared, as a real server does. Default false: made at first use. */
  readonly strict?: boolean;
  /** Topics that are there from the start. Default: none. */
  readonly topics?: readonly TopicDeclaration[];
  /** Consumer groups that are there from the start. Default: none. */
  readonly groups?: readonly GroupDeclaration[];
  /** Whether delayed messages can be recalled. Default false, as on the real server (`recallMessageEnable`). */
  readonly recallEnabled?: boolean;
  /** From a half message's birth to its first check. Default 6 s (`transactionTimeOut`). */
  readonly transactionFirstCheckMs?: number;
  /** Default 30 s (`transactionCheckInterval`). */
  readonly transactionCheckIntervalMs?: number;
  /** After this many checks without an answer a half message is given up. Default 15 (`transactionCheckMax`). */
  readonly transactionCheckMax?: number;
  /** How long an end of a transaction is taken, from half message or newest check on. Default 30 s. */
  readonly transactionDataExpireMs?: number;
}

/** What of them the engine goes by. */
export function engineOptionsOf(options: EmbeddedBrokerOptions, retention: RetentionLimits): EngineOptions {
  const { strict = false, recallEnabled = false } = options;
  const timing = {
    firstCheckMs: options.transactionFirstCheckMs ?? 6_000,
    checkIntervalMs: options.transactionCheckIntervalMs ?? 30_000,
    dataExpireMs: options.transactionDataExpireMs ?? 30_000,
    maxChecks: options.transactionCheckMax ?? 15,
  };
  const indexed = (options.adminPort ?? options.controlPort) !== undefined;
  return { strict, recallEnabled, timing, indexed, maxStoreBytes: memoryLimitOf(options), retention };
}
