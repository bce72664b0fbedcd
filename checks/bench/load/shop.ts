// The two demos over HTTP, with connections that are kept and no more of them than there are clients.

import { Agent, request } from 'node:http';
import type { OrderView } from '../../../scripts/demo/demo-client.js';

const TIMEOUT_MS = 30_000;
/** The demos close a connection that was idle for 5 s, maybe just as something is sent on it. */
const MAX_IDLE_MS = 2_000;

export interface StockView {
  sku: string;
  available: number;
  reserved: number;
  sold: number;
}

export class Shop {
  #orderUrl;
  #inventoryUrl;
  #agent;

  constructor({ orderUrl, inventoryUrl, clients }: { orderUrl: string; inventoryUrl: string; clients: number }) {
    this.#orderUrl = orderUrl;
    this.#inventoryUrl = inventoryUrl;
    this.#agent = new Agent({ keepAlive: true, maxSockets: clients, timeout: MAX_IDLE_MS });
  }

  /**
   * @returns its id
   * @throws Error when it was not answered 201: the order may be there all the same
   */
  async place(sku: string): Promise<string> {
    const { id } = await this.#json('POST', `${this.#orderUrl}/orders`, 201, { sku, quantity: 1 });
    return id;
  }

  order(id: string): Promise<OrderView> {
    return this.#json('GET', `${this.#orderUrl}/orders/${id}`, 200);
  }

  stock(): Promise<StockView[]> {
    return this.#json('GET', `${this.#inventoryUrl}/stock`, 200);
  }

  /** Ends the connections. */
  close(): void {
    this.#agent.destroy();
  }

  // biome-ignore lint/suspicious/noExplicitAny: answers are read as they are
  #json(method: 'GET' | 'POST', url: string, wanted: number, body?: object): Promise<any> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = text === undefined ? {} : { 'content-type': 'application/json', 'content-length': text.length };
    return new Promise((resolve, reject) => {
      const asked = request(url, { method, headers, agent: this.#agent, timeout: TIMEOUT_MS }, (answer) => {
        let received = '';
        answer.setEncoding('utf8');
        answer.on('data', (chunk) => {
          received += chunk;
        });
        answer.once('error', reject);
        answer.once('end', () => {
          if (answer.statusCode === wanted) resolve(JSON.parse(received));
          else reject(new Error(`${method} ${new URL(url).pathname} was answered ${answer.statusCode}: ${received}`));
        });
      });
      asked.once('timeout', () => asked.destroy(new Error(`${method} ${url} had no answer in ${TIMEOUT_MS / 1000} s`)));
      asked.once('error', reject);
      asked.end(text);
    });
  }
}
