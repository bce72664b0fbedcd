// Calling those who only watch: whatever goes wrong with them changes nothing.

import { describeError, type Logger } from './logger.js';
import { isThenable } from './thenable.js';

/**
 * Calls a watcher, and waits for nothing. What it throws, at once or in a promise that it returns, is logged.
 * @param what it watches, for the log line
 */
export function callWatcher(logger: Logger, what: string, call: () => unknown): void {
  const failed = (error: unknown): void => {
    logger.error(`an event handler of ${what} failed`, { error: describeError(error) });
  };
  try {
    const told = call();
    if (isThenable(told)) told.then(undefined, failed);
  } catch (error) {
    failed(error);
  }
}
