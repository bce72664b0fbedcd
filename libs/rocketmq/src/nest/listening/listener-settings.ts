// What may be said of a listener: in its decorator, in `defaults` of the module, and by name in `listeners` of the module.

import type { ConsumeInterceptor } from '../../consumer/model/consume-interceptor.js';
import type { FailurePolicy } from '../../consumer/model/failure-policy.js';
import type { BatchListening } from '../../consumer/model/handler.js';
import type { BackoffPolicy } from '../../support/backoff.js';
import type { OnInvalid } from '../messages/invalid-body.js';
import type { TopicDefinition } from '../messages/topic-definition.js';

/** The waits between attempts: always the same, one after the other (the last one repeats), or growing. */
export type Backoff = number | readonly number[] | BackoffPolicy;

/** What the options `defaults` and `listeners` of the module may say of a listener. */
export interface ListenerSettings
  extends Pick<FailurePolicy, 'maxAttempts' | 'retryOn' | 'deadLetterOn' | 'onDeadLetter'> {
  /** Default: the module's `consumerGroup`. Listeners of one group share one consumer. */
  readonly consumerGroup?: string;
  /**
   * `broadcast`: every instance of the application gets every message that is sent while it runs. Its consumer group is made at the
   * start of the instance and deleted at its end, with its dead letters; its name is `consumerGroup` and a suffix of the instance.
   * Needs the module option `nameServer`, save for `embedded:`. Default `shared`: each message goes to one instance.
   */
  readonly mode?: 'shared' | 'broadcast';
  /** False makes no consumer for it. Default true. */
  readonly enabled?: boolean;
  /**
   * What becomes of a message whose body cannot be decoded, does not fit the topic's schema, or is refused by a pipe of the body (an
   * HttpException of 400 to 499, or an RpcException). `retryOn` and `deadLetterOn` are not asked. Default: what the topic's
   * definition says, then the module's `defaults`, then `dead-letter`. In a batch, what pipes refuse is a failed attempt of all.
   */
  readonly onInvalid?: OnInvalid;
  /** How many of its handlers run at once; of a batch listener: how many batches. Default 16. */
  readonly concurrency?: number;
  /** A handler that runs longer has failed. In milliseconds of real time. Default: none. */
  readonly handlerTimeoutMs?: number;
  /** When a failed message comes again, in milliseconds. Default: as the server says. */
  readonly backoff?: Backoff;
  /**
   * Where dead letters go instead of the broker's dead letter queue: a topic of normal messages. Body, tag, keys and properties
   * are kept; properties tell where the message is from and why it is there (`DEAD_LETTER_PROPERTIES`). Default: that queue.
   */
  // biome-ignore lint/suspicious/noExplicitAny: bodies are sent on as they came, whatever the topic is declared for
  readonly deadLetterTopic?: TopicDefinition<any, any> | string;
  /**
   * The handler's return means nothing: it calls `context.ack()`, `retryLater()` or `deadLetter()`, perhaps after it has returned.
   * An error that it throws before is a failure as ever. Needs `handlerTimeoutMs`, within which one must be called. Default false.
   */
  readonly manual?: boolean;
  /** Whether guards, pipes, interceptors and filters that are bound to the whole application apply. Default true. */
  readonly globalEnhancers?: boolean;
  /**
   * How long a message stays ours without a renewal. Of the consumer: listeners of one group must agree. 10 s to 12 h.
   * Default 30 s.
   */
  readonly invisibleDurationMs?: number;
  /**
   * How many messages may wait for a handler. Of the consumer: listeners of one group must agree. Default 256, or twice
   * what its listeners take at once if that is more.
   */
  readonly maxBufferedMessages?: number;
  /**
   * How many bytes of bodies may wait for a handler. Of the consumer: listeners of one group must agree.
   * Default 64 MiB.
   */
  readonly maxBufferedBytes?: number;
  /** The most acks that one request carries. Default 32. Of the consumer: listeners of one group must agree. */
  readonly ackBatchSize?: number;
  /**
   * Called around every handler, outside of Nest's own enhancers. Of the consumer: listeners of one group must agree.
   * Default: none.
   */
  readonly interceptors?: readonly ConsumeInterceptor[];
}

/** What the option `listeners` of the module may say of one listener. */
export interface ListenerOverrides extends ListenerSettings {
  /**
   * Which messages it wants: by tag (`v1 || v2`) or by properties (`{ sql: "region = 'eu'" }`). Default `*`, every one. Listeners
   * of one group and topic must want different tags.
   */
  readonly filter?: string | { readonly sql: string };
}

/** The options of `@RocketMQListener`. */
export interface RocketMQListenerOptions extends ListenerOverrides {
  /** Default `Class.method`. The key of the module option `listeners`, and what log lines say. */
  readonly name?: string;
  /** The connection whose messages it gets, by the `name` of `RocketMQModule.forRoot()`. Default: the one without a name. */
  readonly connection?: string;
  /**
   * The method gets an array of bodies and a `RocketMQBatchContext`: up to `maxSize` of them, when the first one has waited for
   * `maxWaitMs` at most. Not for ordered groups. Default: one by one.
   */
  readonly batch?: Pick<BatchListening, 'maxSize' | 'maxWaitMs'>;
}

/** What the module options say of all listeners. */
export interface ModuleListenerOptions {
  /** The consumer group of listeners that name none. Default: none. */
  readonly consumerGroup?: string;
  /** For all listeners; their decorators override it. Default: nothing. */
  readonly defaults?: ListenerSettings;
  /** By listener name (`Class.method` unless given); overrides the decorator. Default: none. */
  readonly listeners?: Readonly<Record<string, ListenerOverrides>>;
  /** What a name in `listeners` means that no listener has: a mistake, or a listener of another application. Default `error`. */
  readonly unknownListeners?: 'error' | 'ignore';
  /** False makes no consumer at all: the application only sends. Default true. */
  readonly consumers?: boolean;
}
