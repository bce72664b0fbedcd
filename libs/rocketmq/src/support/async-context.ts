// Work that must not see what its caller keeps in AsyncLocalStorage.

import { AsyncResource } from 'node:async_hooks';

/** Made when this file is loaded, before any store is entered. */
const OUTSIDE = new AsyncResource('RocketMQ', { requireManualDestroy: true });
// It holds nothing open: whoever looks for handles that a test has left (jest --detectOpenHandles) is not to find it.
OUTSIDE.emitDestroy();

/**
 * Runs work with every AsyncLocalStorage empty, and keeps what it enters there (`enterWith` too) from its caller and from the
 * next work.
 */
export function inFreshAsyncContext<T>(work: () => T): T {
  const own = OUTSIDE.runInAsyncScope(() => new AsyncResource('RocketMQMessage'));
  return own.runInAsyncScope(work);
}
