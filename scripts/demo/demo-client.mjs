// The demos over HTTP, as a script asks them.

import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 100;
/** As order-demo writes it down. */
const SCHEDULED = 'time-out scheduled';

/** @typedef {{ id: string, sku: string, history: readonly { at: string, what: string, status: string }[] }} OrderView */

/**
 * When an order was done, by the clock of order-demo.
 * @typedef {{ outcome: 'reserved' | 'rejected', reservedAtMs: number, doneAtMs: number }} Ending `doneAtMs`: reserved and its
 *   time-out scheduled
 */

/** @param {OrderView} order @returns {Ending | undefined} undefined while something is to come */
export function endingOf({ history }) {
  const answered = history.find(({ status }) => status === 'PENDING_PAYMENT' || status === 'REJECTED');
  if (answered === undefined) return undefined;
  const reservedAtMs = Date.parse(answered.at);
  // An order that was rejected needs no time-out, but may have got one before.
  if (answered.status === 'REJECTED') return { outcome: 'rejected', reservedAtMs, doneAtMs: reservedAtMs };
  const scheduled = history.find(({ what }) => what === SCHEDULED);
  if (scheduled === undefined) return undefined;
  return { outcome: 'reserved', reservedAtMs, doneAtMs: Math.max(reservedAtMs, Date.parse(scheduled.at)) };
}

/**
 * GET, or POST with a body.
 * @param {string} url @param {unknown} [body]
 * @throws Error when the answer is no good one
 */
export async function json(url, body) {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const answer = await fetch(url, body === undefined ? {} : init);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}: ${text}`);
  return JSON.parse(text);
}

/** @param {string} what @param {number} timeoutMs @param {() => Promise<boolean>} holds */
export async function until(what, timeoutMs, holds) {
  const lastTryAt = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > lastTryAt) throw new Error(`did not come true in ${timeoutMs} ms: ${what}`);
    await sleep(POLL_MS);
  }
}

/** Both demos. */
export class DemoClient {
  /** @param {string} orderUrl @param {string} inventoryUrl @param {number} timeoutMs of each wait */
  constructor(orderUrl, inventoryUrl, timeoutMs) {
    this.orderUrl = orderUrl;
    this.inventoryUrl = inventoryUrl;
    this.timeoutMs = timeoutMs;
  }

  /** Places an order and waits for its stock. @param {string} sku @param {number} quantity @returns {Promise<string>} its id */
  async reserve(sku, quantity) {
    const { id } = await json(`${this.orderUrl}/orders`, { sku, quantity });
    await this.reaches(id, 'PENDING_PAYMENT');
    return id;
  }

  /** @param {string} id of an order */
  async pay(id) {
    await json(`${this.orderUrl}/orders/${id}/pay`, {});
  }

  /** @param {string} id of an order @param {string} status */
  async reaches(id, status) {
    const isThere = async () => (await json(`${this.orderUrl}/orders/${id}`)).status === status;
    await until(`order ${id} is ${status}`, this.timeoutMs, isThere);
  }

  /** @param {string} sku @param {{ available?: number, reserved?: number, sold?: number }} wanted */
  async stockIs(sku, wanted) {
    const holds = async () => {
      /** @type {Record<string, unknown>[]} */
      const rows = await json(`${this.inventoryUrl}/stock`);
      const row = rows.find((one) => one.sku === sku);
      return row !== undefined && Object.entries(wanted).every(([place, count]) => row[place] === count);
    };
    await until(`the stock of ${sku} is ${JSON.stringify(wanted)}`, this.timeoutMs, holds);
  }
}
