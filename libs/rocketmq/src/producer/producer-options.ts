// The options of a producer and their checks.

import type { DelayRelayNames } from '../protocol/model/delay-chain.js';
import { LIMITS } from '../protocol/model/limits.js';
import type { MessageType } from '../protocol/model/message.js';
import { consumerGroupNameProblem, topicNameProblem } from '../protocol/model/names.js';
import {
  anyFunction,
  anyObject,
  anyString,
  callbacks,
  functions,
  integerFrom,
  mapOf,
  nonEmptyString,
  type ObjectChecks,
  type OptionChecks,
  objectOf,
  oneOf,
  positiveNumber,
  trueOrFalse,
  withMethods,
} from '../support/options.js';
import type { ProducerEvents } from './producer-events.js';
import type { ProducerTelemetrySource } from './producer-telemetry.js';
import { BACKPRESSURE_CHECKS, type BackpressureOptions } from './sending/backpressure.js';
import { BATCHING_CHECKS, type BatchingOptions } from './sending/batching.js';
import { COMPRESSION_CHECKS, type CompressionOptions } from './sending/compression.js';
import type { SendInterceptor } from './sending/interceptors.js';
import type { QueueSelector } from './sending/queue-choice.js';
import { TRANSACTION_TIMES } from './transactions/transaction-bounds.js';
import type { TransactionOptions } from './transactions/transaction-coordinator.js';

/** The options of a producer. */
export interface ProducerOptions extends TransactionOptions, BackpressureOptions, BatchingOptions {
  /**
   * Topics that must exist, with their type, when the producer starts. Other topics are looked up at their first send.
   * Default: none.
   */
  readonly topics?: Readonly<Record<string, MessageType | undefined>>;
  /** The maximum number of attempts of one send, counting only those that may have reached the server. Default 3. */
  readonly maxAttempts?: number;
  /**
   * Compresses bodies: with gzip, which the official Java, Go, Node and Python consumers of a proxy decompress; by name server with zlib,
   * which consumers of the remoting protocol decompress, and of those of a proxy the Java ones. Consumers of this library decompress both,
   * up to 32 MiB by default, so a body can have up to 32 MiB if it is at most 4 MiB when compressed. Default: no compression.
   */
  readonly compression?: CompressionOptions;
  /**
   * How far ahead `deliverAt` and `delayMs` of a message may be, in milliseconds. No server reports its limit: where the operator has raised
   * `maxDelayTimeMills` of the proxy, give the same number here. `timerMaxDelaySec` of the brokers, 3 days by default, limits delays, too.
   * Default 24 h, as on the server.
   */
  readonly maxDelayMs?: number;
  /**
   * What is done with a delay that is none of the levels of a broker of 4.x, which has no others: `exact` rejects it before it is sent, with the
   * levels (`UNSUPPORTED`); `round-up` delays by the next longer one, and rejects what is longer than the longest; `chain` reaches any delay by
   * several levels, at most a second late: between them the message waits in the topic `nestjs-rocketmq-delays`, which you create, and started producers with
   * this option send it on, as the consumer group of the same name. Each step costs a send and a delivery, 45 minutes for example two; a message whose
   * step is interrupted is sent on twice, with the same id. An object names another topic and group. Brokers of 5.x deliver at the time that is asked
   * for. Default `exact`.
   */
  readonly delayLevels?: 'exact' | 'round-up' | 'chain' | DelayRelayNames;
  /**
   * Chooses the queue of each message, for example like the `MessageQueueSelector` of producers in Java: with the same choice, messages of both share a queue
   * and so their order. It also decides about message groups, in the place of the hash of this library. Only by name server: a proxy chooses the
   * queue itself. A message whose queue is chosen is sent in a request of its own; while its broker is missing, it is not sent (`UNAVAILABLE`).
   * Default: message groups by their hash, others in turn.
   */
  readonly queueSelector?: QueueSelector;
  /**
   * Whether a send fails, with the outcome `stored`, when the server has stored the message less safely than its broker is configured to: not on
   * its disk or on a replica in time (`MASTER_PERSISTENCE_TIMEOUT`, `SLAVE_PERSISTENCE_TIMEOUT`, `HA_NOT_AVAILABLE`). Such a message is delivered, and
   * is not sent again. A transaction does not run its local transaction then, and fails as `rejected`. Default false: the receipt says it in `durability`.
   */
  readonly requireDurable?: boolean;
  /** Wrap each send, the first one outermost. Default: none. */
  readonly interceptors?: readonly SendInterceptor[];
  /** Event handlers for results that no call returns: failed one-way sends, lost ends of transactions, checks. Default: none. */
  readonly events?: Partial<ProducerEvents>;
  /** Traces and metrics: `openTelemetry()` of `nestjs-rocketmq/opentelemetry`. Default: none. */
  readonly telemetry?: ProducerTelemetrySource;
}

/** The names of the event handlers. */
export const PRODUCER_EVENTS: Readonly<Record<keyof ProducerEvents, true>> = {
  onConnected: true,
  onLost: true,
  onRecovered: true,
  onEnded: true,
  onLeftToCheck: true,
  onChecked: true,
  onOnewayFailed: true,
  onLessDurable: true,
};

const RELAY_CHECKS: OptionChecks<DelayRelayNames> = {
  topic: (value) => anyString(value) ?? topicNameProblem(value as string),
  consumerGroup: (value) => anyString(value) ?? consumerGroupNameProblem(value as string),
};

const relayNames = objectOf({ options: RELAY_CHECKS, required: ['topic', 'consumerGroup'] });

const CHECKS: OptionChecks<ProducerOptions> = {
  ...TRANSACTION_TIMES.options,
  ...BACKPRESSURE_CHECKS,
  ...BATCHING_CHECKS,
  transactionCheckers: mapOf(anyFunction),
  transactionOwner: nonEmptyString,
  topics: anyObject,
  maxAttempts: integerFrom(1, LIMITS.attempts),
  compression: objectOf({ options: COMPRESSION_CHECKS }),
  maxDelayMs: positiveNumber,
  delayLevels: (value) => (typeof value === 'object' ? relayNames(value) : oneOf('exact', 'round-up', 'chain')(value)),
  queueSelector: anyFunction,
  requireDurable: trueOrFalse,
  interceptors: functions,
  events: callbacks(PRODUCER_EVENTS),
  telemetry: withMethods('the result of openTelemetry() of nestjs-rocketmq/opentelemetry', 'producer'),
};

/** The checks of all options of a producer. */
export const PRODUCER_CHECKS = { options: CHECKS, together: TRANSACTION_TIMES.together } satisfies ObjectChecks;
