// What the engine reports.

import type { DamagedRecord } from '../store/damaged-record.js';
import type { AckMark, Available } from './changes.js';
import type { Delivery } from './deliveries.js';
import type { DueCheck } from './transactions.js';

/** What a test records: emitted after the store has the change. */
export interface DeliveryWatcher {
  /** Messages were handed to a consumer of the group. */
  delivered?(group: string, deliveries: readonly Delivery[]): void;
  acked?(mark: AckMark): void;
}

/** The events of the engine, emitted after the store has the change. Listeners must not call the engine synchronously. */
export interface EngineListener extends DeliveryWatcher {
  /** A change was written; the next due time may have changed. */
  committed(): void;
  /** Consumers of the topic, or of one of its groups, may find messages. */
  available(available: Available): void;
  checkDue(check: DueCheck): void;
  /** Whether a client is connected and sends heartbeats. Called when a lease ends that the broker renews for it. */
  isPresent(clientId: string): boolean;
  /** A record cannot be read. */
  damaged(record: DamagedRecord): void;
  /** A half message was given up after its last check. */
  transactionGivenUp(topic: string, transactionId: string): void;
}
