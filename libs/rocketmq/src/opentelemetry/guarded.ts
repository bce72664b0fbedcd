// Telemetry that fails takes nothing with it.

import { diag } from '@opentelemetry/api';
import { describeError } from '../support/logger.js';

/** Gives what `work` gives; what it throws goes to the diagnostics of OpenTelemetry, and undefined comes back. */
export function guarded<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    diag.error(`nestjs-rocketmq: telemetry failed (${describeError(error)}); messages are not affected`);
    return undefined;
  }
}
