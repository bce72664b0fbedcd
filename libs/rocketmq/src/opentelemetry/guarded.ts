// Failing telemetry must not affect messages.

import { diag } from '@opentelemetry/api';
import { describeError } from '../support/logger.js';

/** Returns the result of `work`; an error is logged to the diagnostics of OpenTelemetry, and undefined is returned. */
export function guarded<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    diag.error(`nestjs-rocketmq: telemetry failed (${describeError(error)}); messages are not affected`);
    return undefined;
  }
}
