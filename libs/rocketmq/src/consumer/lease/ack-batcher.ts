// Combines acks that become due while another one is being sent: one request per endpoint and topic at a time. The caller decides
// whether to repeat one that failed.

import { type Endpoint, endpointKey } from '../../client/endpoint.js';
import type { LeaseCalls } from './lease-settlement.js';
import type { AckGroup, Receipt, ReceiptCalls } from './receipt-calls.js';

/** The maximum of one receive. */
export const DEFAULT_ACK_BATCH_SIZE = 32;

/** Sends one request; see `ReceiptCalls.ackTogether`. */
export type AckRequest = (receipts: AckGroup) => Promise<(Error | undefined)[]>;

/** An ack that was not sent yet, with its callback: undefined when it succeeded. */
export interface PendingAck {
  readonly receipt: Receipt;
  onEnd(error: unknown): void;
}

/** Acks that can share a request have the same key. */
export function ackKey({ topic, endpoint }: Receipt): string {
  return `${topic} ${endpointKey(endpoint)}`;
}

/** Sends as many of `pending` as fit into one request, at least the first, and removes them. Never rejects. */
export async function sendSome(pending: PendingAck[], batchSize: number, request: AckRequest): Promise<void> {
  const batch = takeBatch(pending, batchSize);
  const [first, ...others] = batch;
  if (first === undefined) return;
  let errors: readonly unknown[];
  try {
    errors = await request([first.receipt, ...others.map(({ receipt }) => receipt)]);
  } catch (error) {
    errors = batch.map(() => error);
  }
  for (let index = 0; index < batch.length; index++) batch[index]?.onEnd(errors[index]);
}

/** Results are matched by message id, so a request contains each id once. */
function takeBatch(pending: PendingAck[], most: number): PendingAck[] {
  const ids = new Set<string>();
  const batch: PendingAck[] = [];
  const repeated: PendingAck[] = [];
  let taken = 0;
  for (; taken < pending.length && batch.length < most; taken++) {
    const one = pending[taken] as PendingAck;
    const isNew = ids.add(one.receipt.messageId).size > batch.length;
    (isNew ? batch : repeated).push(one);
  }
  pending.splice(0, taken, ...repeated);
  return batch;
}

/** The acks of one endpoint and topic. */
interface Lane {
  readonly key: string;
  readonly pending: PendingAck[];
  inFlight: number;
  /** Whether a check of the due acks is scheduled. */
  isLookDue: boolean;
  /** Nothing is added to it any more. */
  isOver: boolean;
}

/**
 * Combines acks without delaying any: those of one turn of the event loop are sent at once when no request is open; later ones
 * are sent together when that request has ended, or as soon as they fill a request.
 */
export class AckBatcher {
  private readonly lanes = new Map<string, Lane>();
  private readonly endpointKeys = new WeakMap<Endpoint, string>();
  private latest: { readonly lane: Lane; readonly topic: string; readonly endpoint: Endpoint } | undefined;

  /** @param batchSize the most acks in one request; 1: acks are not combined */
  constructor(
    private readonly request: AckRequest,
    private readonly batchSize: number,
  ) {}

  /** Acks one message. @param onEnd receives the error of this message, independent of the others in the request */
  ack(receipt: Receipt, onEnd: (error: unknown) => void): void {
    const lane = this.laneOf(receipt);
    lane.pending.push({ receipt, onEnd });
    this.lookSoon(lane);
  }

  private laneOf(receipt: Receipt): Lane {
    const { lane, topic, endpoint } = this.latest ?? {};
    // Usually the last ack was of the same topic and server.
    if (lane !== undefined && !lane.isOver && receipt.topic === topic && receipt.endpoint === endpoint) return lane;
    const found = this.findLane(receipt);
    this.latest = { lane: found, topic: receipt.topic, endpoint: receipt.endpoint };
    return found;
  }

  private findLane({ topic, endpoint }: Receipt): Lane {
    let endpointText = this.endpointKeys.get(endpoint);
    if (endpointText === undefined) {
      endpointText = endpointKey(endpoint);
      this.endpointKeys.set(endpoint, endpointText);
    }
    const key = `${topic} ${endpointText}`;
    let lane = this.lanes.get(key);
    if (lane === undefined) {
      lane = { key, pending: [], inFlight: 0, isLookDue: false, isOver: false };
      this.lanes.set(key, lane);
    }
    return lane;
  }

  /** Runs after handlers that end in the same turn. */
  private lookSoon(lane: Lane): void {
    if (lane.isLookDue) return;
    lane.isLookDue = true;
    queueMicrotask(() => {
      lane.isLookDue = false;
      this.sendDue(lane);
    });
  }

  private sendDue(lane: Lane): void {
    while (lane.pending.length >= this.batchSize || (lane.inFlight === 0 && lane.pending.length > 0)) {
      lane.inFlight++;
      void sendSome(lane.pending, this.batchSize, this.request).then(() => {
        lane.inFlight--;
        this.sendDue(lane);
      });
    }
    if (lane.inFlight > 0) return;
    lane.isOver = true;
    this.lanes.delete(lane.key);
  }
}

/** The requests of a lease, with combined acks. */
export function withAckBatches(calls: ReceiptCalls, batchSize: number): LeaseCalls {
  const acks = new AckBatcher((receipts) => calls.ackTogether(receipts), batchSize);
  return {
    ack: (receipt, onEnd) => acks.ack(receipt, onEnd),
    changeInvisibleDuration: (receipt, postponement) => calls.changeInvisibleDuration(receipt, postponement),
    forwardToDeadLetterQueue: (receipt, attempts) => calls.forwardToDeadLetterQueue(receipt, attempts),
  };
}
