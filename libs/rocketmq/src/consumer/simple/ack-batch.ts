// Acks many messages on the caller's request: combines them into requests and reports the outcome of each.

import { type AckRequest, ackKey, DEFAULT_ACK_BATCH_SIZE, type PendingAck, sendSome } from '../lease/ack-batcher.js';
import type { Receipt } from '../lease/receipt-calls.js';

/** The outcome of one message. */
export type AckOutcome =
  | { readonly status: 'acked' }
  /** The error that `ack` would have thrown; a RocketMQError's `outcome` says whether the ack may have taken effect. */
  | { readonly status: 'failed'; readonly error: unknown };

/** What it needs of its consumer. */
interface AckBatchPort<M> {
  /** @throws UsageError when the message was not received by this consumer */
  receiptOf(message: M): Receipt;
  readonly request: AckRequest;
}

/** Acks each message once; the outcomes are in the given order. Never rejects. */
export async function ackBatch<M>(messages: readonly M[], port: AckBatchPort<M>): Promise<AckOutcome[]> {
  const lanes = new Map<string, PendingAck[]>();
  const outcomes = new Map<M, Promise<AckOutcome>>();
  for (const message of messages) {
    if (!outcomes.has(message))
      outcomes.set(
        message,
        pendingAck(() => port.receiptOf(message), lanes),
      );
  }
  for (const pending of lanes.values()) {
    while (pending.length > 0) void sendSome(pending, DEFAULT_ACK_BATCH_SIZE, port.request);
  }
  return Promise.all(messages.map((message) => outcomes.get(message) as Promise<AckOutcome>));
}

/** Queues the ack of one message with those that it can share a request with. */
function pendingAck(receiptOf: () => Receipt, lanes: Map<string, PendingAck[]>): Promise<AckOutcome> {
  const end = new Promise<void>((resolve, reject) => {
    const receipt = receiptOf();
    const key = ackKey(receipt);
    const pending = lanes.get(key) ?? [];
    lanes.set(key, pending);
    pending.push({ receipt, onEnd: (error) => (error === undefined ? resolve() : reject(error)) });
  });
  return end.then(
    () => ({ status: 'acked' }),
    (error: unknown) => ({ status: 'failed', error }),
  );
}
