// An observable whose subscribers cannot harm what they watch: what they throw, or reject with, is logged. What flows through it is
// none of its business.

import { Observable, type Observer, type Operator, Subject, Subscriber, type Subscription } from 'rxjs';
import { describeError, type Logger } from '../../support/logger.js';

type Watching<T> = Partial<Observer<T>> | ((value: T) => void) | null;

/** What operators make of it is guarded as it is itself. */
class GuardedObservable<T> extends Observable<T> {
  constructor(
    private readonly logger: Logger,
    subscribe?: (subscriber: Subscriber<T>) => Subscription,
  ) {
    super(subscribe);
  }

  override lift<R>(operator?: Operator<T, R>): Observable<R> {
    const lifted = new GuardedObservable<R>(this.logger);
    lifted.source = this as unknown as Observable<R>;
    lifted.operator = operator as Operator<R, R> | undefined as never;
    return lifted;
  }

  override subscribe(observer?: Watching<T>): Subscription;
  override subscribe(
    next?: ((value: T) => void) | null,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription;
  override subscribe(
    first?: Watching<T>,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription {
    // That of an operator: what it does with an error is its own affair.
    if (first instanceof Subscriber) return super.subscribe(first);
    const given = typeof first === 'function' ? { next: first } : (first ?? {});
    const watching: Partial<Observer<T>> = {
      next: (value) => given.next?.(value),
      error: error ?? (given.error && ((reason) => given.error?.(reason))),
      complete: complete ?? (given.complete && (() => given.complete?.())),
    };
    return super.subscribe({
      next: (value) => this.guard(() => watching.next?.(value)),
      error: (reason) => this.guard(() => (watching.error === undefined ? raise(reason) : watching.error(reason))),
      complete: () => this.guard(() => watching.complete?.()),
    });
  }

  /** Without it rxjs would throw where nobody catches, and Node.js would end the process. */
  private guard(call: () => unknown): void {
    const fail = (error: unknown): void =>
      this.logger.error('a subscriber of RocketMQEvents failed', { error: describeError(error) });
    try {
      const result = call();
      if (result instanceof Promise) result.catch(fail);
    } catch (error) {
      fail(error);
    }
  }
}

function raise(error: unknown): never {
  throw error;
}

/** Where values go in, and the observable that they come out of: later, in order, never within the call that puts them in. */
export class EventStream<T> {
  readonly values$: Observable<T>;
  private readonly subject = new Subject<T>();
  private readonly pending: T[] = [];
  private isClosed = false;

  constructor(logger: Logger) {
    this.values$ = new GuardedObservable<T>(logger, (subscriber) => this.subject.subscribe(subscriber));
  }

  /** Costs nothing while nobody watches. */
  put(value: T): void {
    if (this.isClosed || !this.subject.observed) return;
    this.pending.push(value);
    if (this.pending.length === 1) queueMicrotask(() => this.flush());
  }

  /** Completes the observable behind what was put in. */
  close(): void {
    this.isClosed = true;
    queueMicrotask(() => {
      this.flush();
      this.subject.complete();
    });
  }

  private flush(): void {
    for (const value of this.pending.splice(0)) this.subject.next(value);
  }
}
