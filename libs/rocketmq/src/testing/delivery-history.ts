// What a test broker has delivered: the store keeps no record of a message that was acknowledged.

import type { AckMark } from '../broker/engine/changes.js';
import type { Delivery } from '../broker/engine/deliveries.js';
import type { DeliveryWatcher } from '../broker/engine/engine-listener.js';
import type { StoredMessage, TopicPosition } from '../broker/store/records.js';

/** A message at a group. */
interface DeliveredMessage extends TopicPosition {
  readonly group: string;
  readonly message: StoredMessage;
  /** Of the last delivery. The first is 1; in an ordered group the consumer retries without a new delivery. */
  readonly attempt: number;
  readonly isAcked: boolean;
}

/** Records deliveries and acknowledgments. */
export class DeliveryHistory implements DeliveryWatcher {
  private readonly entries = new Map<string, DeliveredMessage>();

  delivered(group: string, deliveries: readonly Delivery[]): void {
    for (const { topic, queueId, offset, message, attempt } of deliveries) {
      const key = keyOf({ group, topic, queueId, offset });
      const isAcked = this.entries.get(key)?.isAcked === true;
      this.entries.set(key, { group, topic, queueId, offset, message, attempt, isAcked });
    }
  }

  acked(mark: AckMark): void {
    const key = keyOf(mark);
    const entry = this.entries.get(key);
    if (entry !== undefined) this.entries.set(key, { ...entry, isAcked: true });
  }

  /** The deliveries of a topic, by message and group, in the order of the first delivery. */
  of(topic: string): DeliveredMessage[] {
    return [...this.entries.values()].filter((entry) => entry.topic === topic);
  }

  clear(): void {
    this.entries.clear();
  }
}

function keyOf({ group, topic, queueId, offset }: AckMark): string {
  return `${group}|${topic}|${queueId}|${offset}`;
}
