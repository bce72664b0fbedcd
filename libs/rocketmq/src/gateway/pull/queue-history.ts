// What this process has received of a queue, to notice when the broker has lost the end of it: one that does not flush each message loses the last ones
// with its power, and so may a slave that takes over. Messages that are stored then get the same offsets, below the position of the group.

import { isDeepStrictEqual } from 'node:util';
import { messageIdOf, type StoredMessageFields } from '../../protocol/remoting/stored-message.js';
import type { PulledSubscription } from './membership.js';
import type { QueueRequests } from './queue-requests.js';

/** What differs in another message that is stored at its offset later. */
interface SeenMessage {
  readonly queueOffset: number;
  readonly commitLogOffset: number;
  readonly storeTimestampMs: number;
  readonly messageId: string;
}

/** Where a queue holds messages that this process has not received. */
interface Comparison {
  /** Whether the broker has not what was received last. */
  readonly isLost: boolean;
  readonly offset: number;
}

/** Of one queue. It outlives an ownership that ended because the broker was away. */
export class QueueHistory {
  /** The last message that was received. */
  private last: SeenMessage | undefined;
  /** The next offset to pull. */
  private next = 0;
  /** Nothing from here to the next offset has matched the subscription. */
  private passedFrom = 0;
  private subscription: PulledSubscription | undefined;

  /** An ownership begins. What another member has received meanwhile is not known. */
  begin(offset: number): void {
    this.passedFrom = offset > this.next ? offset : Math.min(this.passedFrom, offset);
    this.next = offset;
  }

  /** Adds an answer to a pull. @param next where to go on */
  add(messages: readonly StoredMessageFields[], next: number, subscription: PulledSubscription): void {
    const { expression, type } = this.subscription ?? {};
    // What was passed over for another subscription stays so.
    if (subscription.expression !== expression || subscription.type !== type) this.passedFrom = this.next;
    this.subscription = subscription;
    this.next = next;
    const last = messages.at(-1);
    if (last === undefined) return;
    this.last = seen(last);
    this.passedFrom = last.queueOffset + 1;
  }

  /** The queue goes on at another offset, before which nothing is known. */
  moveTo(offset: number): void {
    this.last = undefined;
    this.next = offset;
    this.passedFrom = offset;
  }

  /**
   * Compares the last message with what the broker has at its offset. What was passed over behind it was not received, so it cannot be compared.
   * @throws StatusError when the broker does not say; TransportError when it does not answer
   */
  async compare(requests: QueueRequests): Promise<Comparison> {
    const { last } = this;
    if (last === undefined) return { isLost: false, offset: this.passedFrom };
    const { message, maxOffset } = await requests.look(last.queueOffset);
    // What was removed for its age was not lost.
    const isLost = message === undefined ? maxOffset <= last.queueOffset : !isDeepStrictEqual(seen(message), last);
    if (!isLost) return { isLost, offset: this.passedFrom };
    // The clock of a broker may have been set back.
    const newer = await requests.offsetAt(last.storeTimestampMs + 1);
    return { isLost, offset: Math.min(newer, last.queueOffset) };
  }
}

function seen(stored: StoredMessageFields): SeenMessage {
  const { queueOffset, commitLogOffset, storeTimestampMs } = stored;
  return { queueOffset, commitLogOffset, storeTimestampMs, messageId: messageIdOf(stored) };
}
