/** Whether a value is a promise, of any promise library. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}

/**
 * Continues with a value, at once if it is there: on the path of every message, promises would cost more than the work between them.
 * Throws where `next` does so at once.
 */
export function continued<T, R>(value: T | PromiseLike<T>, next: (value: T) => R | PromiseLike<R>): R | PromiseLike<R> {
  return isThenable(value) ? value.then(next) : next(value);
}
