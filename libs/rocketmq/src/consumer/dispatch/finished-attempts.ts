// Counts the failed attempts that handlers of this process have finished. The server counts deliveries, including those without a
// handler call and those that were interrupted; a listener's own limit is about finished attempts.

import { isIdOfCopy } from '../../protocol/model/message-id.js';

/** A message that failed so long ago is at another process by now, or its count restarts: it gets more attempts, never fewer. */
const MAX_MESSAGES = 10_000;

/** What identifies a message here. */
interface Known {
  readonly topic: string;
  readonly messageId: string;
  readonly deliveryAttempt: number;
}

/** The attempts at one message. */
interface Failures {
  readonly count: number;
  /** The handler's last error. */
  readonly error: unknown;
}

/** Failed attempts by message, for the messages that failed last. */
export class FinishedAttempts {
  private readonly known = new Map<string, Failures>();

  /** Counts one more. @returns the new count; the number of deliveries of a message without an id of its own, whose next copy has another id */
  add(message: Known, error: unknown): number {
    if (isIdOfCopy(message.messageId)) return message.deliveryAttempt;
    const key = keyOf(message);
    const count = (this.known.get(key)?.count ?? 0) + 1;
    // The map is ordered by the latest failure.
    this.known.delete(key);
    this.known.set(key, { count, error });
    const [oldest] = this.known.keys();
    if (this.known.size > MAX_MESSAGES && oldest !== undefined) this.known.delete(oldest);
    return count;
  }

  of(message: Known): Failures | undefined {
    // Nearly every message ends without a failure, so that no key is built for it.
    return this.known.size === 0 ? undefined : this.known.get(keyOf(message));
  }

  /** The message has ended. */
  forget(message: Known): void {
    if (this.known.size > 0) this.known.delete(keyOf(message));
  }
}

function keyOf({ topic, messageId }: Known): string {
  return `${topic} ${messageId}`;
}
