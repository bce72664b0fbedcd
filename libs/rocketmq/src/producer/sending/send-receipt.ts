// The receipt of a send.

import type { Endpoint } from '../../client/endpoint.js';
import type { Message as WireMessage } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';

/** The server's confirmation that it has stored a message. */
export interface SendReceipt {
  readonly topic: string;
  /** The id that consumers see. */
  readonly messageId: string;
  /** The offset in the queue; for a delayed or half message, in an internal queue of the server. */
  readonly offset: bigint;
  /** The handle to recall a delayed message before it is due, see `Producer.recall`. */
  readonly recallHandle: string | undefined;
}

/** A receipt with the data that ending a transaction requires. */
export interface StoredMessage extends SendReceipt {
  readonly transactionId: string;
  /** When the half message was created, in monotonic business time: its age decides whether it can still be ended. */
  readonly bornAtMs: number;
  readonly endpoint: Endpoint;
  /** The body may be compressed. */
  readonly wire: WireMessage;
  /** As the caller passed it. */
  readonly body: Buffer;
}

/** The part that the caller gets. */
export function receiptOf({ topic, messageId, offset, recallHandle }: SendReceipt): SendReceipt {
  return { topic, messageId, offset, recallHandle };
}
