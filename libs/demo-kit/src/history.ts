// Entries of an order's history, in both demos.

/** One entry of an order's time line. */
export interface Trace {
  readonly what: string;
  /** The message that was received or sent. */
  readonly messageId?: string;
  /** The delivery attempt of a received message. */
  readonly attempt?: number;
}

/** The message that caused an entry. */
export type Received = Omit<Trace, 'what'>;

/** The message of a listener's context. */
export function receivedFrom(context: { readonly messageId: string; readonly deliveryAttempt: number }): Received {
  return { messageId: context.messageId, attempt: context.deliveryAttempt };
}
