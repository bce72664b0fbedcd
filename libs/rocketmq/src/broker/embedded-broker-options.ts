// What an embedded broker can be told.

import type { Clock } from '../support/clock.js';
import type { Logger } from '../support/logger.js';
import type { BrokerUser } from './access/users.js';
import type { GroupDeclaration, TopicDeclaration } from './engine/registry.js';
import type { BrokerTlsOptions } from './server-tls.js';
import type { BrokerAddress } from './services/broker-context.js';

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
  /** Speak TLS, and TLS only, on every port, the admin port too. Default: plaintext. */
  readonly tls?: BrokerTlsOptions;
  /**
   * Who may do what; requests then must be signed by one of them. Default: everyone may do all. Administration is for users
   * with `isSuper`.
   */
  readonly users?: readonly BrokerUser[];
  /** What routes tell clients, where that differs from host and port (NAT, containers). */
  readonly advertisedAddress?: BrokerAddress;
  /** Business time: delays, leases, checks. Default: the machine's. Connections always live in real time. */
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** Refuses topics and groups that were not declared, as a real server does. Default false: made at first use. */
  readonly strict?: boolean;
  readonly topics?: readonly TopicDeclaration[];
  readonly groups?: readonly GroupDeclaration[];
  /** Whether delayed messages can be recalled. Default false, as on the real server (`recallMessageEnable`). */
  readonly recallEnabled?: boolean;
  /** From a half message's birth to its first check. Default 6 s (`transactionTimeOut`). */
  readonly transactionFirstCheckMs?: number;
  /** Default 30 s (`transactionCheckInterval`). */
  readonly transactionCheckIntervalMs?: number;
  /** After this many checks without an answer a half message is dropped. Default 15 (`transactionCheckMax`). */
  readonly transactionCheckMax?: number;
  /** How long an end of a transaction is taken, from half message or newest check on. Default 30 s. */
  readonly transactionDataExpireMs?: number;
}
