// Positions that an operator moved, until the consumer that pulls from the queue has taken note: it keeps its position itself.

import type { QueueRef } from '../store/records.js';

/** As many as there may be; the oldest give way, and their consumers go on from where they are. */
const MAX_RESETS = 10_000;

/** @see ConsumerOffsetManager.assignResetOffset of the server (5.5.0) */
export class OffsetResets {
  private readonly resets = new Map<string, number>();

  set(queue: QueueRef, offset: number): void {
    this.resets.set(nameOf(queue), offset);
    for (const oldest of this.resets.keys()) {
      if (this.resets.size <= MAX_RESETS) return;
      this.resets.delete(oldest);
    }
  }

  has(queue: QueueRef): boolean {
    return this.resets.size > 0 && this.resets.has(nameOf(queue));
  }

  /** Forgets it: the caller reports it to the consumer. */
  take(queue: QueueRef): number | undefined {
    if (this.resets.size === 0) return undefined;
    const offset = this.resets.get(nameOf(queue));
    this.resets.delete(nameOf(queue));
    return offset;
  }
}

function nameOf({ group, topic, queueId }: QueueRef): string {
  return JSON.stringify([group, topic, queueId]);
}
