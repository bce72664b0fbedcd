// How often a handler of this process has finished with a message and failed. The server counts deliveries, among them those that
// no handler has seen and those that were interrupted; a listener's own limit is about attempts that were made.

/** A message that failed so long ago is at another process by now, or its count begins anew: it gets more attempts, never fewer. */
const MOST_MESSAGES = 10_000;

/** What a message is known by here. */
interface Known {
  readonly topic: string;
  readonly messageId: string;
}

/** The attempts at one message. */
export interface Failures {
  readonly count: number;
  /** What the handler threw last. */
  readonly error: unknown;
}

/** Failed attempts by message, of the messages that failed last. */
export class FinishedAttempts {
  private readonly known = new Map<string, Failures>();

  /** Counts one more. @returns how many there are now */
  add(message: Known, error: unknown): number {
    const key = keyOf(message);
    const count = (this.known.get(key)?.count ?? 0) + 1;
    // The order of the map is that of the latest failure.
    this.known.delete(key);
    this.known.set(key, { count, error });
    const [oldest] = this.known.keys();
    if (this.known.size > MOST_MESSAGES && oldest !== undefined) this.known.delete(oldest);
    return count;
  }

  of(message: Known): Failures | undefined {
    // Nearly every message ends without having failed, and pays for no key.
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
