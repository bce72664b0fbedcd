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
  /** Rejects when the parcel cannot go; `signal` says that the answer is no longer wanted. */
  ship(parcel: string, signal: AbortSignal): Promise<void>;
  isOpen(): boolean;
  /** Tells a person of a parcel that will not go. */
  setAside(parcel: string, why: string): Promise<void>;
}

export const traceId = new AsyncLocalStorage<string>();

/** Around every handler: whatever the handler calls finds the id of the message that it works for. */
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
      // Nobody will ever be able to ship it: to the dead letters, at once.
      if (!warehouse.knows(parcel)) throw new DeadLetterError('no such parcel');
      // Not now: again in a minute, whatever the group's backoff says.
      if (!warehouse.isOpen()) throw new RetryLaterError({ delayMs: 60 * SECOND_MS });
      // What this throws is logged, and the message comes again.
      await warehouse.ship(parcel, signal);
    },
    events: {
      onDeadLetter: (message, reason) => warehouse.setAside(message.body.toString(), reason),
    },
  });
}
