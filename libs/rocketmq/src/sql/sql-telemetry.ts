// The port for traces and metrics of inbox and outbox. Without an implementation nothing is called.

import type { OutboxMessage } from './outbox-message.js';

/** Telemetry of inboxes and outboxes. Its methods must not throw. */
export interface SqlTelemetry {
  /** Called before a message is written; returns the message to write, for example with more properties. */
  outboxMessage(message: OutboxMessage): OutboxMessage;
  /** A step was skipped, because its key was done before. @param consumerGroup undefined for a business key */
  inboxHit(consumerGroup: string | undefined): void;
}
