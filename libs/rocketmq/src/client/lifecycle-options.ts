// The options of `start()` and `close()` of every producer and consumer, and their checks.

import type { CallOptions } from '../support/deadline.js';
import type { UsageError } from '../support/errors.js';
import { CALL_CHECKS, notNegative, type OptionChecks, rejectionOf, trueOrFalse } from '../support/options.js';

/** How a producer or a consumer starts. */
export interface StartOptions extends CallOptions {
  /**
   * Waits, until the timeout, for topics that the server does not know, and logs a warning for each. Use it when topics may have been
   * created shortly before: Apache RocketMQ reports a topic as missing for about 20 s if a client asked for it before its creation, so
   * `timeoutMs` should be longer than that. An embedded broker knows its topics immediately, so there is no wait. Default: a missing
   * topic is an error immediately.
   */
  readonly waitForTopics?: boolean;
}

const START_CHECKS: OptionChecks<StartOptions> = { ...CALL_CHECKS, waitForTopics: trueOrFalse };

/** What is wrong with the options of a `start()`. */
export function startRejection(options: StartOptions): UsageError | undefined {
  return rejectionOf(options, { options: START_CHECKS }, 'start(): ');
}

/** The option of `close()`. */
export interface CloseOptions {
  /** How long what runs may take to end, in milliseconds of real time. Default 20 s. */
  readonly shutdownGraceMs?: number;
}

/** What is wrong with the options of a `close()`. */
export function closeRejection(options: CloseOptions): UsageError | undefined {
  return rejectionOf(options, { options: { shutdownGraceMs: notNegative } }, 'close(): ');
}
