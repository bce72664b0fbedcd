// An observable that is protected from its subscribers: what they throw, or reject with, is logged and does not reach the source.
// none of its business.

import { Observable, type Observer, type Operator, Subject, Subscriber, type Subscription } from 'rxjs';
import { describeError, type Logger } from '../../support/logger.js';

type Watching<T> = Partial<Observer<T>> | ((value: T) => void) | null;

/** The results of operators are guarded in the same way. */
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
    // The subscriber of an operator, which handles errors itself.
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

  /** Without an error handler rxjs would throw outside of any call, and Node.js would end the process. */
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

/** The input, and the observable that emits its values: later, in order, never synchronously. */
export class EventStream<T> {
  readonly values$: Observable<T>;
  private readonly subject = new Subject<T>();
  private readonly pending: T[] = [];
  private isClosed = false;

  constructor(logger: Logger) {
    this.values$ = new GuardedObservable<T>(logger, (subscriber) => this.subject.subscribe(subscriber));
  }

  /** Whether somebody subscribes. */
  get isObserved(): boolean {
    return this.subject.observed;
  }

  /** Costs nothing without subscribers. */
  put(value: T): void {
    if (this.isClosed || !this.subject.observed) return;
    this.pending.push(value);
    if (this.pending.length === 1) queueMicrotask(() => this.flush());
  }

  /** Completes the observable after the pending values. */
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
