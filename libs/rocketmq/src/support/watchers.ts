// Calls event handlers, whose failures must not affect the work.

import { describeError, type Logger } from './logger.js';
import { isThenable } from './thenable.js';

/**
 * Calls an event handler without waiting for it. An error that it throws, or that its promise rejects with, is logged.
 * @param what the handler observes, for the log line
 */
export function callWatcher(logger: Logger, what: string, call: () => unknown): void {
  const failed = (error: unknown): void => {
    logger.error(`an event handler of ${what} failed`, { error: describeError(error) });
  };
  try {
    const result = call();
    if (isThenable(result)) result.then(undefined, failed);
  } catch (error) {
    failed(error);
  }
}
