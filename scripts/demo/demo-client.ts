// The demos over HTTP, as a script asks them.

import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 100;
/** As order-demo writes it down. */
const SCHEDULED = 'time-out scheduled';

export interface OrderView {
  id: string;
  sku: string;
  history: readonly { at: string; what: string; status: string }[];
}

/**
 * When an order was done, by the clock of order-demo. `doneAtMs`: reserved and its time-out scheduled.
 */
export interface Ending {
  outcome: 'reserved' | 'rejected';
  reservedAtMs: number;
  doneAtMs: number;
}

/** @returns undefined while something is to come */
export function endingOf({ history }: OrderView): Ending | undefined {
  const answered = history.find(({ status }) => status === 'PENDING_PAYMENT' || status === 'REJECTED');
  if (answered === undefined) return undefined;
  const reservedAtMs = Date.parse(answered.at);
  // An order that was rejected needs no time-out, but may have got one before.
  if (answered.status === 'REJECTED') return { outcome: 'rejected', reservedAtMs, doneAtMs: reservedAtMs };
  const scheduled = history.find(({ what }) => what === SCHEDULED);
  if (scheduled === undefined) return undefined;
  return { outcome: 'reserved', reservedAtMs, doneAtMs: Math.max(reservedAtMs, Date.parse(scheduled.at)) };
}

/** GET, or POST with a body. @throws Error when the answer is no good one */
export async function json(url: string, body?: unknown) {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const answer = await fetch(url, body === undefined ? {} : init);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}: ${text}`);
  return JSON.parse(text);
}

export async function until(what: string, timeoutMs: number, holds: () => Promise<boolean>): Promise<void> {
  const lastTryAt = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > lastTryAt) throw new Error(`did not come true in ${timeoutMs} ms: ${what}`);
    await sleep(POLL_MS);
  }
}

/** Both demos. */
export class DemoClient {
  /** @param timeoutMs of each wait */
  constructor(
    private readonly orderUrl: string,
    private readonly inventoryUrl: string,
    private readonly timeoutMs: number,
  ) {}

  /** Places an order and waits for its stock. @returns its id */
  async reserve(sku: string, quantity: number): Promise<string> {
    const { id } = await json(`${this.orderUrl}/orders`, { sku, quantity });
    await this.reaches(id, 'PENDING_PAYMENT');
    return id;
  }

  /** @param id of an order */
  async pay(id: string): Promise<void> {
    await json(`${this.orderUrl}/orders/${id}/pay`, {});
  }

  /** @param id of an order */
  async reaches(id: string, status: string): Promise<void> {
    const isThere = async () => (await json(`${this.orderUrl}/orders/${id}`)).status === status;
    await until(`order ${id} is ${status}`, this.timeoutMs, isThere);
  }

  async stockIs(sku: string, wanted: { available?: number; reserved?: number; sold?: number }): Promise<void> {
    const holds = async () => {
      const rows: Record<string, unknown>[] = await json(`${this.inventoryUrl}/stock`);
      const row = rows.find((one) => one.sku === sku);
      return row !== undefined && Object.entries(wanted).every(([place, count]) => row[place] === count);
    };
    await until(`the stock of ${sku} is ${JSON.stringify(wanted)}`, this.timeoutMs, holds);
  }
}
