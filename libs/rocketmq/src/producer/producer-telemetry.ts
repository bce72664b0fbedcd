// The port through which a producer is traced and measured. It knows nothing of who does it; without one nothing is called.

import type { ObservedClient } from '../client/observed-client.js';
import type { MessageView } from '../protocol/model/message.js';
import type { SendInterceptor } from './sending/interceptors.js';
import type { EndResult, Resolution, TransactionIdentity } from './transactions/transaction.js';

/** A half message with what it carries. */
export interface ObservedHalf extends TransactionIdentity {
  readonly properties: MessageView['properties'];
}

/** What watches one producer. None of it may throw anything but what it was given to run. */
export interface ProducerTelemetry {
  /** Stands around each send, the innermost of all. */
  readonly interceptor: SendInterceptor;
  /** Runs a whole transaction. @param topic undefined where the message is decided on the way */
  transact<T>(topic: string | undefined, work: () => Promise<T>): Promise<T>;
  /** Runs the request that ends a transaction. */
  end(half: ObservedHalf, resolution: Resolution, tell: () => Promise<EndResult>): Promise<EndResult>;
  /** A local transaction failed, and its checker cannot say how it ended: the server will ask. */
  leftOpen(transaction: TransactionIdentity): void;
  /** Runs what answers the server's question. */
  check(half: ObservedHalf, answer: () => Promise<Resolution | 'unknown'>): Promise<Resolution | 'unknown'>;
}

/** Makes what watches a producer. */
export interface ProducerTelemetrySource {
  /** Asked once for each producer. Undefined: it is not watched. */
  producer(client: ObservedClient): ProducerTelemetry | undefined;
}
