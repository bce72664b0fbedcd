// Acks that are due while another is under way go together, one request per endpoint and topic at a time. Whether to repeat
// one that failed is the caller's affair.

import { endpointKey } from '../client/endpoint.js';
import type { LeaseCalls } from './message-lease.js';
import type { AckGroup, Receipt, ReceiptCalls } from './receipt-calls.js';

/** As many as one receive brings. */
export const DEFAULT_ACK_BATCH_SIZE = 32;

/** Makes one request; see `ReceiptCalls.ackTogether`. */
export type AckRequest = (receipts: AckGroup) => Promise<(Error | undefined)[]>;

/** An ack that was not sent yet, and whom to tell. */
export interface PendingAck {
  readonly receipt: Receipt;
  resolve(): void;
  reject(error: unknown): void;
}

/** Acks that one request may carry have the same key. */
export function ackKey({ topic, endpoint }: Receipt): string {
  return `${topic} ${endpointKey(endpoint)}`;
}

/** Sends as many of `pending` as go together, the first one at least, and takes them off. Never rejects. */
export async function sendSome(pending: PendingAck[], batchSize: number, request: AckRequest): Promise<void> {
  const batch = takeBatch(pending, batchSize);
  const [first, ...others] = batch;
  if (first === undefined) return;
  try {
    const errors = await request([first.receipt, ...others.map(({ receipt }) => receipt)]);
    for (const [index, { resolve, reject }] of batch.entries()) {
      const error = errors[index];
      if (error === undefined) resolve();
      else reject(error);
    }
  } catch (error) {
    for (const { reject } of batch) reject(error);
  }
}

/** Results are told apart by message id, so an id goes once. */
function takeBatch(pending: PendingAck[], most: number): PendingAck[] {
  const ids = new Set<string>();
  const left: PendingAck[] = [];
  const batch: PendingAck[] = [];
  for (const one of pending) {
    const { messageId } = one.receipt;
    const fits = batch.length < most && !ids.has(messageId);
    if (fits) ids.add(messageId);
    (fits ? batch : left).push(one);
  }
  pending.splice(0, pending.length, ...left);
  return batch;
}

/** The acks of one endpoint and topic. */
interface Lane {
  readonly pending: PendingAck[];
  underWay: number;
}

/**
 * Puts acks together without making any of them wait: one that finds nothing under way is sent at once, those that come
 * meanwhile go together when it has ended, or as soon as they fill a request.
 */
export class AckBatcher {
  private readonly lanes = new Map<string, Lane>();

  /** @param batchSize the most that one request carries; 1: nothing is put together */
  constructor(
    private readonly request: AckRequest,
    private readonly batchSize: number,
  ) {}

  /** Acks one message. @throws what befell this message, whatever became of those in the same request */
  ack(receipt: Receipt): Promise<void> {
    const key = ackKey(receipt);
    const lane = this.lanes.get(key) ?? { pending: [], underWay: 0 };
    this.lanes.set(key, lane);
    return new Promise((resolve, reject) => {
      lane.pending.push({ receipt, resolve, reject });
      this.sendDue(key, lane);
    });
  }

  private sendDue(key: string, lane: Lane): void {
    while (lane.pending.length >= this.batchSize || (lane.underWay === 0 && lane.pending.length > 0)) {
      lane.underWay++;
      void sendSome(lane.pending, this.batchSize, this.request).then(() => {
        lane.underWay--;
        this.sendDue(key, lane);
      });
    }
    if (lane.underWay === 0) this.lanes.delete(key);
  }
}

/** The requests of a lease, its acks put together. */
export function withAckBatches(calls: ReceiptCalls, batchSize: number): LeaseCalls {
  const acks = new AckBatcher((receipts) => calls.ackTogether(receipts), batchSize);
  return {
    ack: (receipt) => acks.ack(receipt),
    changeInvisibleDuration: (receipt, postponement) => calls.changeInvisibleDuration(receipt, postponement),
    forwardToDeadLetterQueue: (receipt, attempts) => calls.forwardToDeadLetterQueue(receipt, attempts),
  };
}
