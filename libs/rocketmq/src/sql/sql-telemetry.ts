// The port through which inbox and outbox are traced and measured. Without one nothing is called.

import type { OutboxMessage } from './outbox-message.js';

/** What watches inboxes and outboxes. None of it may throw. */
export interface SqlTelemetry {
  /** A message is about to be written; what it returns is, with more properties for instance. */
  outboxMessage(message: OutboxMessage): OutboxMessage;
  /** A key was done before, so that its step was left out. @param consumerGroup undefined for a key of the business */
  inboxHit(consumerGroup: string | undefined): void;
}
