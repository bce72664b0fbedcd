// What happens in the life of a connection, for those who watch. Where it comes from is in lifecycle-hooks.ts.

import { filter, type Observable } from 'rxjs';
import type { DeadLetterReason } from '../../consumer/model/failure-policy.js';
import type { EndSource, Resolution } from '../../producer/transactions/transaction.js';
import { SystemClock } from '../../support/clock.js';
import type { Logger } from '../../support/logger.js';
import { EventStream } from './event-stream.js';

/** What every event has. */
interface EventBase {
  /** The name of the connection; undefined for the one without. */
  readonly connection: string | undefined;
  /** When it happened, in milliseconds of real time since the epoch. */
  readonly atMs: number;
}

/** A server and a client of this application: its producer, or the consumer of a group. */
interface SessionSubject {
  readonly role: 'producer' | 'consumer';
  readonly clientId: string;
  /** Of a consumer. */
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
  /** Its name: `Class.method` unless given. */
  readonly listener: string;
  readonly topic: string;
  readonly consumerGroup: string;
}

type EventDetails =
  /** A server knows the client, for the first time. */
  | ({ readonly type: 'connected' } & SessionSubject)
  /** A server that knew the client is away, or refuses it now. It is tried again until the end. */
  | ({ readonly type: 'lost'; readonly error: unknown } & SessionSubject)
  /** A server that was lost knows the client again. */
  | ({ readonly type: 'recovered' } & SessionSubject)
  /**
   * The application runs although its start is not complete (`whenUnavailable: 'degraded'`): no server could be asked (`away`), or one
   * was and what the application declares does not fit it (`refused`).
   */
  | { readonly type: 'start-delayed'; readonly reason: 'away' | 'refused'; readonly error: unknown }
  /** A start that was delayed is complete. */
  | { readonly type: 'start-completed' }
  /** `RocketMQListeners.pause()`. */
  | ({ readonly type: 'paused' } & ListenerSubject)
  /** `RocketMQListeners.resume()`. */
  | ({ readonly type: 'resumed' } & ListenerSubject)
  /** A consumer has ended at shutdown. `unfinished`: handlers whose grace period was over before they were. */
  | { readonly type: 'drained'; readonly consumerGroup: string; readonly unfinished: number }
  /** A message is about to be moved to the dead letters. Again, when the move fails and the message comes again. */
  | ({ readonly type: 'dead-lettered'; readonly reason: DeadLetterReason; readonly error: unknown } & MessageSubject)
  /** A message is no longer ours while it is being handled: another consumer may have it. */
  | ({ readonly type: 'lease-lost' } & MessageSubject)
  /**
   * How a transaction ended is not known to the server yet; its check settles it. `end`: the answer to a commit or rollback was lost;
   * `check`: the server asked, and the checker could not tell.
   */
  | ({
      readonly type: 'transaction-unknown';
      readonly during: 'end' | 'check';
      /** How it was to end; `during: 'check'`: undefined. */
      readonly resolution: Resolution | undefined;
      /** Why the end was lost; `during: 'check'`: undefined. */
      readonly error: unknown;
    } & TransactionSubject)
  /**
   * The server took the end of a transaction, each time: the ordinary case. `by`: the local transaction was over (`client`), or the
   * server had asked (`check`).
   */
  | ({
      readonly type: 'transaction-ended';
      readonly resolution: Resolution;
      readonly by: EndSource;
    } & TransactionSubject)
  /**
   * The server has given up a transaction of this application after its checks, and its message is not delivered: `commit` when the log or
   * checker says that it was committed, so that a message is missing; `unknown` when it cannot say. Once from each instance that runs.
   * Needs `nameServer`.
   */
  | ({ readonly type: 'transaction-given-up'; readonly resolution: 'commit' | 'unknown' } & TransactionSubject);

/** Something that happened. Tell them apart by `type`. There are no bodies in it and no secrets. */
export type RocketMQEvent = EventBase & EventDetails;

/** @internal what is told of an event; the rest is added */
export type ToldEvent = EventDetails;

/**
 * The lifecycle of one connection as an observable. It has no memory: who subscribes in a constructor misses nothing, since a
 * connection opens before the first `onModuleInit`. Events come later than what they tell of, in its order. What a subscriber throws
 * or rejects with is logged, also behind operators (`pipe`); nothing waits for a subscriber. Merged with other observables it is one of
 * those, whose subscribers catch their own errors. It completes when the connection has closed.
 */
export class RocketMQEvents {
  /** All events. */
  readonly events$: Observable<RocketMQEvent>;
  private readonly stream: EventStream<RocketMQEvent>;
  private readonly clock = new SystemClock();

  /** @internal provided by the module */
  constructor(
    private readonly connection: string | undefined,
    logger: Logger,
  ) {
    this.stream = new EventStream(logger);
    this.events$ = this.stream.values$;
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
  tell(event: ToldEvent): void {
    this.stream.put({ ...event, connection: this.connection, atMs: this.clock.nowMs() });
  }

  /** @internal */
  close(): void {
    this.stream.close();
  }
}
