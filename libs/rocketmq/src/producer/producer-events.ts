// What a producer tells those who watch it. Telling them is the producer's affair.

import type { SessionEvents } from '../client/session-events.js';
import type { TransactionEvents } from './transactions/transaction.js';

/** What happened that no call of the application returns. What a watcher throws is logged and changes nothing. */
export interface ProducerEvents extends TransactionEvents, SessionEvents {
  /** A message of `sendOneway` failed for good; a RocketMQError's `outcome` says whether it may be stored. */
  onOnewayFailed(message: { readonly topic: string; readonly messageId: string }, error: unknown): void;
}
