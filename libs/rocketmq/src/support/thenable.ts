/** Whether a value is a promise, of any promise library. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}

/**
 * Continues with a value, at once if it is there: on the path of every message, promises would cost more than the work between them.
 * Throws where `next` does so at once.
 */
export function continued<T, R>(value: T | PromiseLike<T>, next: (value: T) => R | PromiseLike<R>): R | PromiseLike<R> {
  // The promise of another library may return anything from its "then".
  return isThenable(value) ? Promise.resolve(value).then(next) : next(value);
}

/** Does the work, and hands what it throws to `failed`, at once or later: without a promise where the work returns none. */
export function rescued<T, R>(
  work: () => T | PromiseLike<T>,
  failed: (error: unknown) => R | PromiseLike<R>,
): T | R | PromiseLike<T | R> {
  try {
    const result = work();
    return isThenable(result) ? Promise.resolve(result).then(undefined, failed) : result;
  } catch (error) {
    return failed(error);
  }
}
