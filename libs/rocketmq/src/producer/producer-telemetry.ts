// The port for traces and metrics of a producer. Without an implementation nothing is called.

import type { ObservedClient } from '../client/observed-client.js';
import type { LessDurableMessage } from './sending/durability.js';
import type { SendTelemetry } from './sending/interceptors.js';
import type { TransactionTelemetry } from './transactions/transaction.js';

/** Telemetry of one producer. Its methods must not throw, except for errors of the work that they run. */
export interface ProducerTelemetry extends SendTelemetry, TransactionTelemetry {
  /** The server has stored a message less safely than its broker is configured to. */
  lessDurable(message: LessDurableMessage): void;
}

/** Creates the telemetry of a producer. */
export interface ProducerTelemetrySource {
  /** Called once for each producer. Undefined: no telemetry for it. */
  producer(client: ObservedClient): ProducerTelemetry | undefined;
}
