import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Connection,
  type ConsumeInterceptor,
  DeadLetterError,
  PushConsumer,
  RetryLaterError,
  SECOND_MS,
} from 'nestjs-rocketmq/client';

/** The warehouse that parcels leave from. */
export interface Warehouse {
  knows(parcel: string): boolean;
  /** Rejects when the parcel cannot be shipped; `signal` fires when the result is no longer needed. */
  ship(parcel: string, signal: AbortSignal): Promise<void>;
  isOpen(): boolean;
  /** Notifies somebody of a parcel that cannot be shipped. */
  setAside(parcel: string, why: string): Promise<void>;
}

export const traceId = new AsyncLocalStorage<string>();

/** Wraps every handler, so that all code that it calls can read the id of its message. */
const traced: ConsumeInterceptor = (message, _context, next) => traceId.run(message.messageId, next);

export function shippingConsumer(connection: Connection, warehouse: Warehouse): PushConsumer {
  return new PushConsumer(connection, {
    consumerGroup: 'shipping',
    subscriptions: [{ topic: 'parcels', filter: { kind: 'tag', expression: 'paid || free' } }],
    concurrency: 32,
    handlerTimeoutMs: 10 * SECOND_MS,
    interceptors: [traced],
    handler: async (message, { signal }) => {
      const parcel = message.body.toString();
      // No retry can help: dead-letter the message now.
      if (!warehouse.knows(parcel)) throw new DeadLetterError('no such parcel');
      // Retry in one minute, regardless of the backoff of the group.
      if (!warehouse.isOpen()) throw new RetryLaterError({ delayMs: 60 * SECOND_MS });
      // An error thrown here is logged, and the message is retried.
      await warehouse.ship(parcel, signal);
    },
    events: {
      onDeadLetter: (message, reason) => warehouse.setAside(message.body.toString(), reason),
    },
  });
}
