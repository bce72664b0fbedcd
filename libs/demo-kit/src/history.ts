// What both demos remember of what happened to an order.

/** One line of an order's time line. */
export interface Trace {
  readonly what: string;
  /** The message that was received, or sent by it. */
  readonly messageId?: string;
  /** The delivery attempt of a received message. */
  readonly attempt?: number;
}

/** By which message something happens. */
export type Received = Omit<Trace, 'what'>;

/** What a listener was handed. */
export function receivedFrom(context: { readonly messageId: string; readonly deliveryAttempt: number }): Received {
  return { messageId: context.messageId, attempt: context.deliveryAttempt };
}
