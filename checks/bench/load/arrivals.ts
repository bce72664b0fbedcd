// Customers: in a closed loop, which waits for each answer and so never asks for more than there is; and in an open one, which comes
// when it is time, whatever became of those before.

import { setTimeout as sleep } from 'node:timers/promises';

/** A placed order, or one that may have been. */
export interface Placed {
  sku: string;
  /** When its customer wanted to order, by the wall clock. */
  dueAtMs: number;
  /** How long after that the request began: the fault of the generator. */
  lateMs: number;
  /** From `dueAtMs` to the answer. */
  postMs: number;
  /** Undefined when it was not answered 201. */
  id?: string;
  /** Then. */
  error?: string;
}

export interface Till {
  place: (sku: string) => Promise<string>;
  nextSku: () => string;
  signal: AbortSignal;
}

/** Clients that order again as soon as they are answered. */
export async function orderInLoops(
  { clients, seconds }: { clients: number; seconds: number },
  till: Till,
): Promise<Placed[]> {
  const placed: Placed[] = [];
  const endsAt = performance.now() + seconds * 1_000;
  const client = async () => {
    while (performance.now() < endsAt) {
      till.signal.throwIfAborted();
      placed.push(await orderOnce(till, performance.now()));
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return placed;
}

/**
 * Orders at even distances. What comes late, here or at the till, is counted from when it was due: else a server that stands still
 * would be asked less just then, and would look quick.
 */
export async function orderAtRate({ rate, seconds }: { rate: number; seconds: number }, till: Till): Promise<Placed[]> {
  const beganAt = performance.now();
  const orders = [];
  const count = Math.max(1, Math.round(rate * seconds));
  for (let index = 0; index < count; index++) {
    const dueAt = beganAt + (index * 1_000) / rate;
    const aheadMs = dueAt - performance.now();
    if (aheadMs > 0) await sleep(aheadMs, undefined, { signal: till.signal });
    till.signal.throwIfAborted();
    orders.push(orderOnce(till, dueAt));
  }
  return Promise.all(orders);
}

/** @param dueAt by `performance.now()` */
async function orderOnce({ place, nextSku }: Till, dueAt: number): Promise<Placed> {
  const sku = nextSku();
  const lateMs = performance.now() - dueAt;
  const dueAtMs = Date.now() - lateMs;
  try {
    const id = await place(sku);
    return { sku, id, dueAtMs, lateMs, postMs: performance.now() - dueAt };
  } catch (error) {
    return {
      sku,
      error: error instanceof Error ? error.message : String(error),
      dueAtMs,
      lateMs,
      postMs: performance.now() - dueAt,
    };
  }
}
