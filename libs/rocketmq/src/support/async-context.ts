// Work that must not see what its caller keeps in AsyncLocalStorage.

import { AsyncResource } from 'node:async_hooks';

/** Created when this file is loaded, before any store is entered. */
const OUTSIDE = new AsyncResource('RocketMQ', { requireManualDestroy: true });
// It keeps no handle open, so it must not show up in a search for open handles (jest --detectOpenHandles).
OUTSIDE.emitDestroy();

/**
 * Runs work with every AsyncLocalStorage empty. What the work enters there (`enterWith` too) is not visible to its caller or to
 * later work.
 */
export function inFreshAsyncContext<T>(work: () => T): T {
  const own = OUTSIDE.runInAsyncScope(() => new AsyncResource('RocketMQMessage'));
  return own.runInAsyncScope(work);
}
