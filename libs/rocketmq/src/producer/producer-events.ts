// The events of a producer.

import type { SessionEvents } from '../client/session-events.js';
import type { LessDurableMessage } from './sending/durability.js';
import type { TransactionEvents } from './transactions/transaction.js';

/** Event handlers for results that no call returns. Errors that a handler throws are logged and have no other effect. */
export interface ProducerEvents extends TransactionEvents, SessionEvents {
  /** A message of `sendOneway` failed permanently; a RocketMQError's `outcome` says whether it may be stored. */
  onOnewayFailed(message: { readonly topic: string; readonly messageId: string }, error: unknown): void;
  /** The server has stored a message, half messages included, but less safely than its broker is configured to: `Durability` says why. */
  onLessDurable(message: LessDurableMessage): void;
}
