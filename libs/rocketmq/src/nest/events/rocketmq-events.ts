// The lifecycle events of a connection. lifecycle-hooks.ts creates them.

import { filter, type Observable } from 'rxjs';
import type { ConsumerTelemetrySource } from '../../consumer/model/consumer-telemetry.js';
import type { DeadLetterReason } from '../../consumer/model/failure-policy.js';
import type { LessDurableMessage } from '../../producer/sending/durability.js';
import type { EndSource, Resolution } from '../../producer/transactions/transaction.js';
import type { GroupPause } from '../../protocol/model/group-pause.js';
import { SystemClock } from '../../support/clock.js';
import type { Logger } from '../../support/logger.js';
import { type WatchedAttempt, watchingAttempts } from './attempt-watch.js';
import { EventStream } from './event-stream.js';

/** What all events have. */
interface EventBase {
  /** The name of the connection; undefined for the one without a name. */
  readonly connection: string | undefined;
  /** When it happened, in milliseconds of real time since the epoch. */
  readonly atMs: number;
}

/** A server and a client of this application: its producer, or the consumer of a group. */
interface SessionSubject {
  readonly role: 'producer' | 'consumer';
  readonly clientId: string;
  /** Of a consumer only. */
  readonly consumerGroup: string | undefined;
  /** `host:port` of the server. */
  readonly endpoint: string;
}

interface MessageSubject {
  readonly consumerGroup: string;
  readonly topic: string;
  readonly messageId: string;
  readonly keys: readonly string[];
  /** The first is 1. */
  readonly deliveryAttempt: number;
}

interface TransactionSubject {
  readonly topic: string;
  readonly messageId: string;
  readonly transactionId: string;
}

interface ListenerSubject {
  /** The listener's name, by default `Class.method`. */
  readonly listener: string;
  readonly topic: string;
  readonly consumerGroup: string;
}

type EventDetails =
  /** The session of a client with a server is established for the first time. */
  | ({ readonly type: 'connected' } & SessionSubject)
  /** The session with a server is lost. The client reconnects until it is closed. */
  | ({ readonly type: 'lost'; readonly error: unknown } & SessionSubject)
  /** The session with a server is established again. */
  | ({ readonly type: 'recovered' } & SessionSubject)
  /**
   * The application runs although its startup is not complete (`whenUnavailable: 'degraded'`): no server can be reached (`away`), or a
   * server answered and the declared topics and groups do not fit it (`rejected`).
   */
  | { readonly type: 'start-delayed'; readonly reason: 'away' | 'rejected'; readonly error: unknown }
  /** A startup that was delayed is complete. */
  | { readonly type: 'start-completed' }
  /** `RocketMQListeners.pause()`. */
  | ({ readonly type: 'paused' } & ListenerSubject)
  /** `RocketMQListeners.resume()`. */
  | ({ readonly type: 'resumed' } & ListenerSubject)
  /** `RocketMQListeners.setConcurrency()`. */
  | ({ readonly type: 'concurrency-changed'; readonly concurrency: number } & ListenerSubject)
  /** The servers have paused a consumer group, over all its instances; `reason`, `by` and `sinceMs` as far as they are known. */
  | ({ readonly type: 'group-paused'; readonly consumerGroup: string } & GroupPause)
  /** The servers deliver to the group again. */
  | { readonly type: 'group-resumed'; readonly consumerGroup: string }
  /** A consumer has shut down. `unfinished`: the handlers that were still running at the end of the grace period. */
  | { readonly type: 'drained'; readonly consumerGroup: string; readonly unfinished: number }
  /** A message is about to be dead-lettered. Reported again when that fails and the message is redelivered. */
  | ({ readonly type: 'dead-lettered'; readonly reason: DeadLetterReason; readonly error: unknown } & MessageSubject)
  /** The lease of a message is lost while it is being handled: another consumer may have the message. */
  | ({ readonly type: 'lease-lost' } & MessageSubject)
  /** In an exclusive group another consumer has subscribed to a lite topic, so that this application receives it no more. */
  | {
      readonly type: 'lite-topic-lost';
      readonly consumerGroup: string;
      readonly topic: string;
      readonly liteTopic: string;
    }
  /** The server has stored a message of this application less safely than its broker is configured to. */
  | ({ readonly type: 'less-durable' } & LessDurableMessage)
  /**
   * The server does not know yet how a transaction ended; a transaction check resolves it. `end`: the answer to a commit or rollback
   * was lost; `check`: the server asked, and the checker answered `unknown`.
   */
  | ({
      readonly type: 'transaction-unknown';
      readonly during: 'end' | 'check';
      /** The intended resolution; `during: 'check'`: undefined. */
      readonly resolution: Resolution | undefined;
      /** Why the answer was lost; `during: 'check'`: undefined. */
      readonly error: unknown;
    } & TransactionSubject)
  /**
   * The server accepted the resolution of a transaction, which is the normal case. `by`: the local transaction had ended (`client`), or
   * the server had asked (`check`).
   */
  | ({
      readonly type: 'transaction-ended';
      readonly resolution: Resolution;
      readonly by: EndSource;
    } & TransactionSubject)
  /**
   * The server has given up a transaction of this application after its checks, and its message is not delivered: `commit` when the log or
   * checker answers that it was committed, so that a message is missing; `unknown` when it cannot answer. Reported once by each running
   * instance.
   * Needs `nameServer`.
   */
  | ({ readonly type: 'transaction-given-up'; readonly resolution: 'commit' | 'unknown' } & TransactionSubject);

/** A lifecycle event. Distinguish events by `type`. They contain no bodies and no secrets. */
export type RocketMQEvent = EventBase & EventDetails;

/** An attempt of a handler. */
export interface HandlerAttempt extends WatchedAttempt {
  /** The name of the connection; undefined for the one without a name. */
  readonly connection: string | undefined;
}

/** @internal an event as it is reported; the other fields are added */
export type ReportedEvent = EventDetails;

/**
 * The lifecycle of one connection as an observable. It does not replay events: a subscriber in a constructor misses none, since a
 * connection opens before the first `onModuleInit`. Events are emitted asynchronously, in order. What a subscriber throws
 * or rejects with is logged, also behind operators (`pipe`); nothing waits for a subscriber. Merged with other observables it is an
 * ordinary observable, whose subscribers handle their own errors. It completes when the connection has closed.
 */
export class RocketMQEvents {
  /** All events. */
  readonly events$: Observable<RocketMQEvent>;
  /**
   * Each attempt of a handler when it has ended, of all push consumers. Watched only where somebody subscribes before the application starts
   * to consume, as in a constructor; otherwise it costs nothing.
   */
  readonly attempts$: Observable<HandlerAttempt>;
  private readonly stream: EventStream<RocketMQEvent>;
  private readonly attempts: EventStream<HandlerAttempt>;
  private readonly clock = new SystemClock();

  /** @internal provided by the module */
  constructor(
    private readonly connection: string | undefined,
    logger: Logger,
  ) {
    this.stream = new EventStream(logger);
    this.events$ = this.stream.values$;
    this.attempts = new EventStream(logger);
    this.attempts$ = this.attempts.values$;
  }

  /** The events of some types. */
  of<Type extends RocketMQEvent['type']>(
    ...types: readonly Type[]
  ): Observable<Extract<RocketMQEvent, { type: Type }>> {
    const isMeant = (event: RocketMQEvent): event is Extract<RocketMQEvent, { type: Type }> =>
      (types as readonly string[]).includes(event.type);
    return this.events$.pipe(filter(isMeant));
  }

  /** @internal */
  report(event: ReportedEvent): void {
    this.stream.put({ ...event, connection: this.connection, atMs: this.clock.nowMs() });
  }

  /** @internal the telemetry of a consumer, which reports its attempts if they are watched */
  telemetryOf(inner: ConsumerTelemetrySource | undefined): ConsumerTelemetrySource | undefined {
    if (!this.attempts.isObserved) return inner;
    return watchingAttempts(inner, (attempt) => this.attempts.put({ ...attempt, connection: this.connection }));
  }

  /** @internal */
  close(): void {
    this.attempts.close();
    this.stream.close();
  }
}
