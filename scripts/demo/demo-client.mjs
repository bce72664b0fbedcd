// The demos over HTTP, as a script asks them.

import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 100;

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
