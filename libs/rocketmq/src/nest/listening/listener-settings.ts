// The settings of a listener: in its decorator, in `defaults` of the module, and by name in `listeners` of the module.

import type { BatchListening } from '../../consumer/model/handler.js';
import type { PushConsumerOptions } from '../../consumer/push-consumer-options.js';
import type { BackoffPolicy } from '../../support/backoff.js';
import type { OnInvalid } from '../messages/invalid-body.js';
import type { TopicDefinition } from '../messages/topic-definition.js';

/** The delays between attempts: constant, a list (the last one repeats), or growing. In milliseconds. */
export type ListenerBackoff = number | readonly number[] | BackoffPolicy;

/** Where a group begins: at the first message that is stored, behind the last one, or at the first one that was stored at this time or later. */
export type StartFrom = 'beginning' | 'end' | Date;

/** Options of a listener that are those of the consumer: each of its listeners has its own. */
export const LISTENER_OPTIONS = [
  'groupConcurrency',
  'handlerTimeoutMs',
  'rateLimit',
  'maxAttempts',
  'retryOn',
  'deadLetterOn',
  'onDeadLetter',
] as const satisfies readonly (keyof PushConsumerOptions)[];

/** Options of the consumer, on which its listeners must agree. */
export const SHARED_OPTIONS = [
  'consume',
  'invisibleDurationMs',
  'maxBufferedMessages',
  'maxBufferedBytes',
  'ackBatchSize',
  'interceptors',
] as const satisfies readonly (keyof PushConsumerOptions)[];

/** The options that listeners of one group set for their consumer, which they share. */
export type SharedListenerSettings = Pick<PushConsumerOptions, (typeof SHARED_OPTIONS)[number]>;

/**
 * The settings that `defaults` and `listeners` of the module can set for a listener. Listeners of one group share a consumer, so they must agree on
 * `consume`, `invisibleDurationMs`, `maxBufferedMessages`, `maxBufferedBytes`, `ackBatchSize` and `interceptors`, which are called outside of Nest's enhancers.
 */
export interface ListenerSettings
  extends Pick<PushConsumerOptions, (typeof LISTENER_OPTIONS)[number]>,
    SharedListenerSettings {
  /** Default: the module's `consumerGroup`. Listeners of one group share one consumer. */
  readonly consumerGroup?: string;
  /**
   * `broadcast`: every instance of the application gets every message that is sent while it runs. Without a proxy (`name-server:`), all instances
   * have the group `<consumerGroup>-broadcast`, and keep their positions in memory. With a proxy, the consumer group is created at the
   * startup of the instance and deleted at its shutdown, with its dead letters; its name is `consumerGroup` plus a suffix of the instance. This
   * needs the module option `nameServer`, except with `embedded:`. Default `shared`: each message goes to one instance.
   */
  readonly mode?: 'shared' | 'broadcast';
  /**
   * Where its consumer group begins in its topic if it has never received from there; otherwise it goes on where it was. The group is created if it
   * does not exist. Needs the module option `nameServer`, except with `embedded:`. Default: as the server decides; `end` for a broadcast listener.
   */
  readonly startFrom?: StartFrom;
  /** Set false to create no consumer for it. Default true. */
  readonly enabled?: boolean;
  /**
   * What happens to a message whose body cannot be decoded, does not fit the topic's schema, or is rejected by a pipe of the body (an
   * HttpException of 400 to 499, or an RpcException). `retryOn` and `deadLetterOn` are not called. Default: the value in the topic's
   * definition, then that of the module's `defaults`, then `dead-letter`. In a batch, a rejection by a pipe fails the attempt of all messages.
   */
  readonly onInvalid?: OnInvalid;
  /** How many of its handlers run at once; of a batch listener: how many batches. Default 16. */
  readonly concurrency?: number;
  /** When a failed message is redelivered, in milliseconds. Default: as the server decides. */
  readonly backoff?: ListenerBackoff;
  /**
   * Where dead letters go instead of the broker's dead letter queue: a topic of type `normal`. Body, tag, keys and properties
   * are kept; additional properties hold the origin and the reason (`DEAD_LETTER_PROPERTIES`). Default: the dead letter queue.
   */
  // biome-ignore lint/suspicious/noExplicitAny: bodies are sent on as they came, whatever the topic is declared for
  readonly deadLetterTopic?: TopicDefinition<any, any, 'normal'> | string;
  /**
   * The handler's return has no meaning: it calls `context.ack()`, `retryLater()` or `deadLetter()`, possibly after it has returned.
   * An error that it throws before is a failure as usual. Needs `handlerTimeoutMs`, within which one must be called. Default false.
   */
  readonly manual?: boolean;
  /** Whether global guards, pipes, interceptors and filters apply. Default true. */
  readonly globalEnhancers?: boolean;
}

/** The settings of one listener in the module option `listeners`. */
export interface ListenerOverrides extends ListenerSettings {
  /**
   * Which messages it receives: by tag (`v1 || v2`) or by properties (`{ sql: "region = 'eu'" }`). Default `*`, all of them. Listeners
   * of one group and topic must have different tags.
   */
  readonly filter?: string | { readonly sql: string };
  /**
   * Makes it a listener of lite topics of its topic, which is of type `lite`: those listed here, and those that
   * `RocketMQListeners.subscribeLite()` adds; an empty list: none at first. It is the only listener of its consumer group, without a filter, and needs a
   * `deadLetterTopic`.
   * Default: none, a listener of the whole topic.
   */
  readonly liteTopics?: readonly string[];
}

/** The options of `@RocketMQListener`. */
export interface RocketMQListenerOptions extends ListenerOverrides {
  /** Default `Class.method`. The key of the module option `listeners`, and the name in log lines. */
  readonly name?: string;
  /** The connection that it receives from, by the `name` of `RocketMQModule.forRoot()`. Default: the one without a name. */
  readonly connection?: string;
  /**
   * The method gets an array of bodies and a `RocketMQBatchContext`: up to `maxSize` messages with up to `maxBytes` of bodies, after the
   * first one has waited for `maxWaitMs` milliseconds at most. Not for ordered groups. Default: one message per call.
   */
  readonly batch?: Omit<BatchListening, 'handler'>;
  /**
   * `decorated`: the method is not checked against the topic, since parameter decorators (`@Payload('field')`, `@Payload(pipe)`, `@Ctx()`,
   * your own) decide what it is called with, in any order, which the compiler cannot see. Default: the method takes body and context.
   */
  readonly parameters?: 'decorated';
}

/** The module options for listeners. */
export interface ModuleListenerOptions {
  /** The consumer group of listeners that set none. Default: none. */
  readonly consumerGroup?: string;
  /** Defaults of all listeners; their decorators override them. Default: none. */
  readonly defaults?: ListenerSettings;
  /** Settings by listener name (by default `Class.method`); they override the decorator. Default: none. */
  readonly listeners?: Readonly<Record<string, ListenerOverrides>>;
  /** Whether a name in `listeners` that no listener has is an error, or belongs to another application. Default `error`. */
  readonly unknownListeners?: 'error' | 'ignore';
  /** Set false to create no consumers: the application only sends. Default true. */
  readonly consumers?: boolean;
}
