// What the server says of a message that it has stored.

import type { Endpoint } from '../../client/endpoint.js';
import type { Message as WireMessage } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';

/** What the server says of a message that it has stored. */
export interface SendReceipt {
  readonly topic: string;
  /** The id that consumers see. */
  readonly messageId: string;
  /** The offset in the queue; for a delayed or half message, in an internal queue of the server. */
  readonly offset: bigint;
  /** Takes a delayed message back before it is due, see `Producer.recall`. */
  readonly recallHandle: string | undefined;
}

/** A receipt with what ends a transaction. */
export interface StoredMessage extends SendReceipt {
  readonly transactionId: string;
  /** When the half message was born, by monotonic business time: how old it is decides whether it can still be ended. */
  readonly bornAtMs: number;
  readonly endpoint: Endpoint;
  /** The body may be packed. */
  readonly wire: WireMessage;
  /** As the caller gave it. */
  readonly body: Buffer;
}

/** The part that a caller is told. */
export function receiptOf({ topic, messageId, offset, recallHandle }: SendReceipt): SendReceipt {
  return { topic, messageId, offset, recallHandle };
}
