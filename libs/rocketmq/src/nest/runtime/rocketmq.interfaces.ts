// The options of the module and of listeners.

import type { FactoryProvider, ModuleMetadata, Type } from '@nestjs/common';
import type { Address } from '../../client/endpoint.js';
import type { LimitPort } from '../../consumer/listeners/limit-state.js';
import type { PolicyInForce } from '../../consumer/listeners/listener-fit.js';
import type { ConsumerEvents } from '../../consumer/model/consumer-events.js';
import type { ProducerEvents } from '../../producer/producer-events.js';
import type { ProducerOptions } from '../../producer/producer-options.js';
import type { TransactionCheckRequest } from '../../producer/transactions/transaction-check.js';
import type { TransactionRecorder } from '../../producer/transactions/transaction-scope.js';
import type { CredentialsProvider } from '../../protocol/credentials/credentials.js';
import type { Credentials } from '../../protocol/credentials/metadata.js';
import type { Clock } from '../../support/clock.js';
import type { Logger } from '../../support/logger.js';
import type { TlsOptions } from '../../support/tls.js';
import type { GroupSettings } from '../cluster/declarations.js';
import type { RocketMQTelemetry } from '../common/telemetry.js';
import type { ModuleListenerOptions } from '../listening/listener-settings.js';
import type { BodyCodec } from '../messages/body-codecs.js';
import type { MessageHook } from '../messages/message-hooks.js';
import type { NamingOptions } from '../messages/resource-names.js';
import type { TopicDefinition } from '../messages/topic-definition.js';
import type { RocketMQRequestOptions } from '../sending/reply-channel.js';

/** Answers the transaction checks of all topics without a checker of their own; the `TransactionLog` of `/sql` is one. */
export interface TransactionLogPort {
  check(check: TransactionCheckRequest): Promise<'commit' | 'rollback' | 'unknown'>;
  /** @internal */
  readonly recorder?: TransactionRecorder;
}

/** Records which messages were handled; the `Inbox` of `/sql` is one. */
export interface InboxPort {
  /** Throws when it deletes keys before messages of this policy can no longer be redelivered. */
  assertOutlives(policy: PolicyInForce, of: string): void;
}

/** What is kept in a topic, for operators. */
export interface OperationsOptions {
  /**
   * The name of a topic of type `normal`, for any number of applications. It is created or checked at startup as the topics in `topics`. Failures of
   * listeners of this topic are not kept. The producer of the application sends the records, through its interceptors but not through `hooks`.
   */
  readonly topic: string;
  /** Whether to keep the texts of errors, which may quote a part of a body. Default true. */
  readonly texts?: boolean;
  /**
   * How often the lag of each shared consumer group of the application is kept, in milliseconds from 10 000 on; 0: never. All instances together keep one
   * sample. Needs `nameServer`, except with `embedded:`. Default 60 000, or 0 without `nameServer`.
   */
  readonly lagEveryMs?: number;
}

/** How the application sends. The options are those of the client's `Producer`, without those that the module sets. */
export type RocketMQProducerOptions = Omit<
  ProducerOptions,
  'topics' | 'transactionCheckers' | 'transactionOwner' | 'events' | 'telemetry'
>;

/** The options of `RocketMQModule.forRoot()`. Only `endpoints` is required. */
export interface RocketMQModuleOptions extends NamingOptions, ModuleListenerOptions {
  /**
   * `host:8081;host2:8081`: the proxies of a RocketMQ cluster. `name-server:host:9876;host2:9876`: the name servers of a cluster
   * without a proxy. `embedded:`: a broker inside this application, in memory; `embedded:./data`: one that keeps its messages in that
   * folder (needs the package `lmdb`), for this application only. Undefined is an error.
   */
  readonly endpoints: string | undefined;
  /** Rejected with `name-server:`. Default: none. */
  readonly namespace?: string;
  /**
   * Use TLS: `true`, or the certificates to use. Default: false, or true where `endpoints` begins with `https://`. Ignored with
   * `embedded:`.
   */
  readonly tls?: boolean | TlsOptions;
  /**
   * Required when the server checks access (ACL). A function is called repeatedly, so that keys can rotate. Default: none.
   * Ignored with `embedded:`.
   */
  readonly credentials?: Credentials | CredentialsProvider;
  /** How often the function in `credentials` is called, in milliseconds. Default: before the `expiresAt` that it returned, otherwise every minute. */
  readonly credentialsRefreshMs?: number;
  /** The timeout of one request, in milliseconds. Default 3000. */
  readonly requestTimeoutMs?: number;
  /** Send everything to `endpoints`, whatever addresses the server advertises (NAT, Docker). Rejected with `name-server:`. Default false. */
  readonly useBootstrapEndpoints?: boolean;
  /** Translates each address that the server advertises into one that this process can reach. Default: unchanged. */
  readonly addressMapping?: (address: Address) => Address;
  /**
   * What the message groups or lite topics of a topic are spread over, by the topic's name in the code: `{ orders: 'broker-a:8;broker-b:8' }`. For
   * clusters with several brokers: a process that starts while a broker is missing then knows of it, and does not send the messages of its
   * groups elsewhere. With `provision: 'create'`, a topic that is created gets it as its order configuration. Default: the order
   * configuration of the name servers, where the client sees it (`name-server:`); otherwise the most brokers that this process has seen.
   */
  readonly topicLayouts?: Readonly<Record<string, string>>;
  /** The clock for delays, leases and backoffs, the embedded broker's included. Default: the system clock. */
  readonly clock?: Clock;
  /** The logger. Default: the application's Nest logger, with the context `RocketMQ`. */
  readonly logger?: Logger;
  /** The codec of topics without one of their own. Default: JSON. */
  readonly codec?: BodyCodec;
  /**
   * Hooks that change every message when it is sent and received: headers, encryption. Objects, or classes that some module
   * provides. The first is the outermost. Default: none.
   */
  readonly hooks?: readonly (MessageHook | Type<MessageHook>)[];
  /**
   * Topics that this application sends to. The application fails at startup when one is missing or of another type.
   * Default: the topics of its transactions.
   */
  // biome-ignore lint/suspicious/noExplicitAny: a definition is invariant in its body, and any one will do here
  readonly topics?: readonly TopicDefinition<any, any>[];
  /**
   * Options of the producer: attempts, backpressure, compression, batching, `requireDurable`, interceptors, and the times of transactions. Default:
   * that of each option.
   */
  readonly producer?: RocketMQProducerOptions;
  /**
   * The name servers of the cluster: `host:9876;host2:9876`. Required for `@InjectRocketMQAdmin()`, `requests` and, with a proxy, `mode: 'broadcast'`. With
   * it, the module also warns at startup about members of a group with different subscriptions, and asks the name servers and
   * brokers, with the module's `credentials` and `tls`, for the versions of the brokers, so that ordinary messages may share requests
   * (`batching` of the producer). To get the versions in another way, set `producer.brokerVersions`. Default: the name servers in
   * `endpoints`, otherwise none. Ignored with `embedded:`.
   */
  readonly nameServer?: string;
  /**
   * The remoting addresses of proxies in cluster mode: `proxy1:8080;proxy2:8080`. Brokers do not know the gRPC clients of such proxies, so
   * that without it `groupClients()` of the admin client and the console do not list them. Needs `nameServer`. Default: none. Ignored with `embedded:`.
   */
  readonly proxies?: string;
  /**
   * What happens at startup to topics and consumer groups that the code declares (`defineTopic`, listeners, patterns, `topics`, `groups`).
   * `create`: missing ones are created; existing ones are never changed, and a warning lists the differences. `check`: the
   * application fails at startup unless all exist as declared; one error lists every difference. Both need `nameServer`. `off`: only
   * the types of the topics in use are checked. Default `off`. Ignored with `embedded:`, whose broker creates everything as
   * declared.
   */
  readonly provision?: 'create' | 'check' | 'off';
  /**
   * Declares consumer groups, by name: order, attempts and backoff on the server, for `provision` and for the broker of
   * `embedded:`. You need not declare the groups of listeners. Default: those of the listeners, with the server's settings for new groups.
   */
  readonly groups?: Readonly<Record<string, GroupSettings>>;
  /**
   * Enables requests with answers: `RocketMQRequester`, and `send()` of `ClientRocketMQ`. Each instance then has a consumer
   * group for its answers, which is created at its startup and deleted at its shutdown. Needs `nameServer`, except with `embedded:`.
   * Default: off.
   */
  readonly requests?: RocketMQRequestOptions;
  /**
   * Keeps the failures of all listeners, with error, stack, attempt and instance but without bodies, and the lag of their groups, as messages of a topic, so
   * that they survive restarts: `npx nestjs-rocketmq failure list` and `lag --history` show them. Default: off.
   */
  readonly operations?: OperationsOptions;
  /** Answers the transaction checks of topics that have no `@TransactionChecker`. Default: none. */
  readonly transactionLog?: TransactionLogPort;
  /**
   * The inbox that the handlers use. The application fails at startup when the inbox deletes keys while messages of some listener
   * can still be redelivered. Default: none.
   */
  readonly inbox?: InboxPort;
  /** Where instances count together for `groupConcurrency`, and for `rateLimit` with `scope: 'group'`: a `LimitStore` of `/sql`. Default: none. */
  readonly limitStore?: LimitPort;
  /** Marks the half messages of this service, so that only this service answers their transaction checks. Default: `consumerGroup`. */
  readonly transactionOwner?: string;
  /**
   * How long each of provisioning, the producer, and all consumers together may take to start, in milliseconds. Until then, startup
   * waits for an unreachable server and for topics that the server does not know: Apache RocketMQ keeps answering for 20 s that a
   * topic does not exist when it was asked for the topic before its creation. So a mistyped topic is reported by a warning at once,
   * and fails the startup after this time. Default 30 000.
   */
  readonly startTimeoutMs?: number;
  /**
   * What happens when no server can be reached within `startTimeoutMs`. `fail`: startup fails. `degraded`: the application starts
   * without a server; sends fail with TransportError `UNAVAILABLE`, and the producer and all listeners start once a server is reachable.
   * Problems with topics or groups are found only then: they are logged as errors, `RocketMQHealth` is not ready, and the start is
   * retried until they are fixed. Startup still fails when a server answers and the topics do not fit. Default `fail`. Ignored
   * with `embedded:`.
   */
  readonly whenUnavailable?: 'fail' | 'degraded';
  /** How long running handlers may continue at shutdown before their signals fire, in milliseconds. Default 20 000. */
  readonly shutdownGraceMs?: number;
  /** Callbacks for messages, transactions, one-way sends and servers; `RocketMQEvents` reports more. Default: none. */
  readonly events?: Partial<ConsumerEvents & ProducerEvents>;
  /**
   * Traces and measures what is sent and handled: `openTelemetry()` of `nestjs-rocketmq/opentelemetry`. Default: none, at no
   * cost.
   */
  readonly telemetry?: RocketMQTelemetry;
}

/** Creates the module options. */
export interface RocketMQOptionsFactory {
  createRocketMQOptions(): Promise<RocketMQModuleOptions> | RocketMQModuleOptions;
}

/** Where the module is visible. */
export interface RocketMQModuleScope {
  /** Whether other modules can inject `RocketMQProducer` without importing the module. Default true. */
  readonly isGlobal?: boolean;
  /**
   * The name of this connection, for an application with several: `@InjectRocketMQProducer(name)`, and the option `connection` of
   * `@RocketMQListener`, `@TransactionalSend` and `@TransactionChecker`. Default: none; code that names no connection uses this one.
   */
  readonly name?: string;
}

/** Set one of `useFactory`, `useClass` and `useExisting`. */
export interface RocketMQModuleAsyncOptions extends RocketMQModuleScope, Pick<ModuleMetadata, 'imports'> {
  /** A function that returns the options. Default: none. */
  // biome-ignore lint/suspicious/noExplicitAny: what is injected is known to the factory alone
  readonly useFactory?: (...dependencies: any[]) => Promise<RocketMQModuleOptions> | RocketMQModuleOptions;
  /** The providers to pass to the function. Default: none. */
  readonly inject?: FactoryProvider['inject'];
  /** A class to instantiate, which creates the options. Default: none. */
  readonly useClass?: Type<RocketMQOptionsFactory>;
  /** A provider of an imported module that creates the options. Default: none. */
  readonly useExisting?: Type<RocketMQOptionsFactory> | string | symbol;
}
