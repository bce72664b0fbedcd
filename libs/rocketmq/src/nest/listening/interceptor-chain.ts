// The interceptors around a method, in the order of Nest and with what they see there: AsyncLocalStorage as it was where they called
// `handle()`, a method that runs once for each subscription and only after `subscribe()` has returned, and nothing once the subscription
// has ended. Nest's own chain creates several observables and promises for each interceptor, where this one creates one of each.

import { AsyncResource } from 'node:async_hooks';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { from, isObservable, mergeAll, Observable, type ObservableInput, type Subscriber } from 'rxjs';
import { continued, isThenable } from '../../support/thenable.js';

type Stream = ObservableInput<unknown>;

/**
 * @param interceptors at least one
 * @param run the method with its pipes
 * @returns what the outermost interceptor returns, as an observable or a promise of one
 */
export function throughInterceptors(
  interceptors: readonly NestInterceptor[],
  context: ExecutionContext,
  run: () => unknown,
): unknown {
  const begin = (place: number): Stream | PromiseLike<Stream> | undefined =>
    interceptors[place]?.intercept(context, { handle: () => rest(place + 1) } satisfies CallHandler);
  const rest = (place: number): Observable<unknown> => {
    const scope = new AsyncResource('RocketMQInterceptor');
    return new Observable((subscriber) => {
      if (place === interceptors.length) runLater(scope, run, subscriber);
      else passOn(() => scope.runInAsyncScope(begin, undefined, place) as Stream, subscriber);
    });
  };
  return continued(begin(0), (stream) => from(stream as Stream));
}

/** Begins at once, and subscribes later. */
function passOn(begin: () => Stream | PromiseLike<Stream>, subscriber: Subscriber<unknown>): void {
  const begun = new Promise<Stream>((resolve) => {
    resolve(begin());
  });
  const fail = (error: unknown): void => subscriber.error(error);
  begun.then((stream) => subscribeTo(stream, subscriber)).catch(fail);
}

function runLater(scope: AsyncResource, run: () => unknown, subscriber: Subscriber<unknown>): void {
  // Each run has its own, or a second subscription would see what the first run entered into AsyncLocalStorage.
  const own = scope.runInAsyncScope(() => new AsyncResource('RocketMQHandler'));
  const fail = (error: unknown): void => subscriber.error(error);
  const emit = (result: unknown): void => {
    if (isObservable(result)) {
      subscribeTo(result, subscriber);
      return;
    }
    subscriber.next(result);
    subscriber.complete();
  };
  // Not queueMicrotask(), which creates an AsyncResource of its own.
  void Promise.resolve().then(() => {
    if (subscriber.closed) return;
    try {
      const result = own.runInAsyncScope(run);
      if (isThenable(result)) Promise.resolve(result).then(emit, fail);
      else emit(result);
    } catch (error) {
      fail(error);
    }
  });
}

function subscribeTo(stream: Stream, subscriber: Subscriber<unknown>): void {
  if (subscriber.closed) return;
  // As in Nest, what a stream does at its end is done before those outside of it see the end.
  subscriber.add(from([stream]).pipe(mergeAll()).subscribe(subscriber));
}
