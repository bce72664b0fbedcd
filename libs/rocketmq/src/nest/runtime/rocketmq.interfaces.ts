// The options of the module and of listeners.

import type { FactoryProvider, ModuleMetadata, Type } from '@nestjs/common';
import type { Address } from '../../client/endpoint.js';
import type { PolicyInForce } from '../../consumer/listeners/listener-fit.js';
import type { ConsumerEvents } from '../../consumer/model/consumer-events.js';
import type { ProducerOptions } from '../../producer/producer.js';
import type { ProducerEvents } from '../../producer/producer-events.js';
import type { TransactionCheck } from '../../producer/transactions/transaction-check.js';
import type { TransactionCheckpoint } from '../../producer/transactions/transaction-coordinator.js';
import type { CredentialsProvider } from '../../protocol/credentials/credentials.js';
import type { Credentials } from '../../protocol/credentials/metadata.js';
import type { Clock } from '../../support/clock.js';
import type { Logger } from '../../support/logger.js';
import type { TlsOptions } from '../../support/tls.js';
import type { RocketMQTelemetry } from '../common/telemetry.js';
import type { ModuleListenerOptions } from '../listening/listener-settings.js';
import type { BodyCodec } from '../messages/body-codec.js';
import type { MessageHook } from '../messages/message-hooks.js';
import type { NamingOptions } from '../messages/resource-names.js';
import type { TopicDefinition } from '../messages/topic-definition.js';
import type { GroupSettings } from '../operations/declarations.js';
import type { RequestOptions } from '../sending/reply-channel.js';

/** Answers transaction checks of all topics without a checker of their own; the `TransactionLog` of `/sql` is one. */
export interface TransactionLogPort {
  check(check: TransactionCheck): Promise<'commit' | 'rollback' | 'unknown'>;
}

/** Remembers what handlers have done; the `Inbox` of `/sql` is one. */
export interface InboxPort {
  /** Throws when it forgets sooner than messages of this policy stop coming again. */
  assertOutlives(policy: PolicyInForce, of: string): void;
}

/** Where a crash is worth testing. */
export type RocketMQCheckpoint = TransactionCheckpoint | 'handled-before-ack';

/** How the application sends. The options mean what they mean to the client's `Producer`. */
export type RocketMQProducerOptions = Pick<
  ProducerOptions,
  | 'maxAttempts'
  | 'maxInFlight'
  | 'maxInFlightBytes'
  | 'whenFull'
  | 'compression'
  | 'batching'
  | 'serverVersion'
  | 'brokerVersions'
  | 'interceptors'
  | 'localTransactionTimeoutMs'
  | 'checkTimeoutMs'
  | 'firstCheckAfterMs'
>;

/** The options of `RocketMQModule.forRoot()`. Only `endpoints` is needed. */
export interface RocketMQModuleOptions extends NamingOptions, ModuleListenerOptions {
  /**
   * `host:8081;host2:8081`: the proxies of a RocketMQ cluster. `embedded:`: a broker inside this application, in memory;
   * `embedded:./data`: one that keeps its messages in that folder (needs the package `lmdb`), for this application alone.
   * Undefined is an error.
   */
  readonly endpoints: string | undefined;
  /** Default: none. */
  readonly namespace?: string;
  /**
   * Speak TLS: `true`, or with what certificates. Default: false, or true where `endpoints` begins with `https://`. Without
   * meaning for `embedded:`.
   */
  readonly tls?: boolean | TlsOptions;
  /**
   * Needed when the server checks access (ACL). A function is asked again and again, so that keys can change. Default: none.
   * Without meaning for `embedded:`.
   */
  readonly credentials?: Credentials | CredentialsProvider;
  /** How often the function in `credentials` is asked. Default: before `expiresAt` of what it gave, else every minute. */
  readonly credentialsRefreshMs?: number;
  /** How long one request may take. Default 3000. */
  readonly requestTimeoutMs?: number;
  /** Send everything to `endpoints`, whatever addresses the server advertises (NAT, Docker). Default false. */
  readonly useBootstrapEndpoints?: boolean;
  /** Translates each address that the server advertises into one that is reachable from here. Default: as they are. */
  readonly addressMapping?: (address: Address) => Address;
  /** Business time: delays, leases, backoffs; the embedded broker's too. Default: the machine's. */
  readonly clock?: Clock;
  /** Where log lines go. Default: the application's Nest logger, under the context `RocketMQ`. */
  readonly logger?: Logger;
  /** For topics without a codec of their own. Default JSON. */
  readonly codec?: BodyCodec;
  /**
   * What is done to every message on its way out and in: headers, encryption. Objects, or classes that some module provides. The
   * first is the outermost. Default: nothing.
   */
  readonly hooks?: readonly (MessageHook | Type<MessageHook>)[];
  /**
   * Topics that this application sends to. One that is missing or of another type stops the application at start.
   * Default: those of its transactions.
   */
  // biome-ignore lint/suspicious/noExplicitAny: a definition is invariant in its body, and any one will do here
  readonly topics?: readonly TopicDefinition<any, any>[];
  /**
   * Attempts, backpressure, compression, batching, interceptors, and the times of transactions. Default: that of each.
   */
  readonly producer?: RocketMQProducerOptions;
  /**
   * The name servers of the cluster: `host:9876;host2:9876`. What `@InjectAdmin()`, `requests` and `mode: 'broadcast'` need;
   * with it, members of a group that subscribe otherwise are warned about at start. They and the brokers are also asked how
   * old the brokers are, under the module's `credentials` and `tls`, so that ordinary messages may share requests (`batching` of
   * the producer). For other ways to them give `producer.brokerVersions`. Default: nobody is asked. Without meaning for
   * `embedded:`.
   */
  readonly nameServer?: string;
  /**
   * What is done at start about topics and consumer groups that the code declares (`defineTopic`, listeners, `topics`, `groups`).
   * `create`: those that are missing are made; what exists is never changed, and a warning names where it differs. `check`: the
   * application does not start unless all are there as declared; one error names all that is not. Both need `nameServer`. `off`: types
   * of topics are looked at by those who use them, nothing else. Default `off`. Without meaning for `embedded:`, whose broker is made
   * as declared.
   */
  readonly provision?: 'create' | 'check' | 'off';
  /**
   * Declares consumer groups, by name: order, attempts and waits as the server is to hold them, for `provision` and for the broker of
   * `embedded:`. Groups of listeners need not be named. Default: those of the listeners, with what the server gives to new groups.
   */
  readonly groups?: Readonly<Record<string, GroupSettings>>;
  /**
   * Switches requests with answers on: `RocketMQRequester`, and `send()` of `ClientRocketMQ`. Each instance then has a consumer
   * group for its answers, made at its start and deleted at its end. Needs `nameServer`, save for `embedded:`. Default: off.
   */
  readonly requests?: RequestOptions;
  /** Answers the checks of transactional topics that have no `@TransactionChecker`. Default: none. */
  readonly transactionLog?: TransactionLogPort;
  /**
   * The inbox that handlers use. The application does not start when it forgets keys sooner than a message of some listener stops
   * coming again. Default: that is not looked at.
   */
  readonly inbox?: InboxPort;
  /** Marks this service's half messages, so that only it answers for them. Default: `consumerGroup`. */
  readonly transactionOwner?: string;
  /**
   * How long provisioning, then the producer, then all consumers may take to start. Until then the start waits for a server that is away,
   * and for topics that the server does not know: Apache RocketMQ denies a topic for 20 s if it was asked for it before its creation. So
   * a mistyped topic takes this long to stop the application, after a warning at once. Default 30 000.
   */
  readonly startTimeoutMs?: number;
  /**
   * What happens when no server can be reached within `startTimeoutMs`. `fail`: the application does not start. `degraded`: it
   * starts without; sends fail with TransportError `UNAVAILABLE`, and when the server comes, the producer and all listeners start.
   * What is wrong with topics or groups is found then: it is logged as an error, `RocketMQHealth` is not ready, and it is tried again
   * until it is mended. A server that answers at start still stops an application whose topics do not fit. Default `fail`. Without
   * meaning for `embedded:`.
   */
  readonly whenUnavailable?: 'fail' | 'degraded';
  /** How long running handlers may go on at shutdown before their signal fires. Default 20 000. */
  readonly shutdownGraceMs?: number;
  /** What happens to messages, transactions, one-way sends and servers, for those who watch; `RocketMQEvents` tells more of it. Default: nobody is told. */
  readonly events?: Partial<ConsumerEvents & ProducerEvents>;
  /**
   * Traces and measures what is sent and handled: `openTelemetry()` of `nestjs-rocketmq/opentelemetry`. Default: nobody does, and it
   * costs nothing.
   */
  readonly telemetry?: RocketMQTelemetry;
  /** Awaited at named points. For crash tests; it can stop the process there. Default: nothing. */
  readonly checkpoint?: (
    point: RocketMQCheckpoint,
    subject: { readonly topic: string; readonly messageId: string },
  ) => Promise<void> | void;
}

/** Makes the module options. */
export interface RocketMQOptionsFactory {
  createRocketMQOptions(): Promise<RocketMQModuleOptions> | RocketMQModuleOptions;
}

/** Where the module is visible. */
export interface RocketMQModuleScope {
  /** Whether other modules get `RocketMQProducer` without importing the module. Default true. */
  readonly isGlobal?: boolean;
  /**
   * The name of this connection, for an application with several: `@InjectProducer(name)`, and the option `connection` of
   * `@RocketMQListener`, `@TransactionalSend` and `@TransactionChecker`. Default: none, the connection that is meant without one.
   */
  readonly name?: string;
}

/** Give one of `useFactory`, `useClass` and `useExisting`. */
export interface RocketMQModuleAsyncOptions extends RocketMQModuleScope, Pick<ModuleMetadata, 'imports'> {
  /** A function that makes the options. Default: none. */
  // biome-ignore lint/suspicious/noExplicitAny: what is injected is known to the factory alone
  readonly useFactory?: (...dependencies: any[]) => Promise<RocketMQModuleOptions> | RocketMQModuleOptions;
  /** What the function gets. Default: nothing. */
  readonly inject?: FactoryProvider['inject'];
  /** A class that makes the options, and is made for it. Default: none. */
  readonly useClass?: Type<RocketMQOptionsFactory>;
  /** A provider of an imported module that makes the options. Default: none. */
  readonly useExisting?: Type<RocketMQOptionsFactory> | string | symbol;
}
