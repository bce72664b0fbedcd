// The port through which a producer is traced and measured. Without an implementation nothing is called.

import type { ObservedClient } from '../client/observed-client.js';
import type { SendInterceptor } from './sending/interceptors.js';
import type { TransactionTelemetry } from './transactions/transaction.js';

/** What watches one producer. None of it may throw anything but what it was given to run. */
export interface ProducerTelemetry extends TransactionTelemetry {
  /** Stands around each send, the innermost of all. */
  readonly interceptor: SendInterceptor;
}

/** Creates what watches a producer. */
export interface ProducerTelemetrySource {
  /** Asked once for each producer. Undefined: it is not watched. */
  producer(client: ObservedClient): ProducerTelemetry | undefined;
}
