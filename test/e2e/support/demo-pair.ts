// Both demos in this process, used over HTTP.

import type { AddressInfo } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import { Faults } from 'demo-kit';
import type { Clock } from 'nestjs-rocketmq/client';
import { createInventoryDemo } from '../../../apps/inventory-demo/src/app.js';
import { PRODUCTS } from '../../../apps/inventory-demo/src/stock/products.js';
import { createOrderDemo } from '../../../apps/order-demo/src/app.js';
import { isEnded, type OrderStatus } from '../../../apps/order-demo/src/orders/order-status.js';
import type { Barriers } from './barriers.js';

/** An order, as order-demo returns it. */
export interface OrderView {
  readonly id: string;
  readonly sku: string;
  readonly quantity: number;
  readonly status: OrderStatus;
  readonly expiresAt: string;
  readonly history: readonly {
    readonly at: string;
    readonly what: string;
    readonly status: OrderStatus;
    readonly messageId: string | null;
    readonly attempt: number | null;
  }[];
}

/** A product, as inventory-demo returns it. */
export interface StockView {
  readonly sku: string;
  readonly available: number;
  readonly reserved: number;
  readonly sold: number;
}

/** An answer over HTTP. */
export interface Answer<Body> {
  readonly status: number;
  readonly body: Body;
}

/** The URLs of databases. Default: PGlite in memory. */
export interface DemoDatabases {
  readonly order?: string;
  readonly inventory?: string;
}

export interface DemoPairOptions {
  readonly endpoints: string;
  readonly paymentTimeoutMs: number;
  readonly clock?: Clock;
  readonly barriers?: Barriers;
  /** Whether faults can be injected over HTTP. Default: false. */
  readonly canBreak?: boolean;
  readonly controlEndpoint?: string;
  readonly databases?: DemoDatabases;
}

export class DemoPair {
  private constructor(
    private readonly apps: readonly INestApplication[],
    readonly orderUrl: string,
    readonly inventoryUrl: string,
  ) {}

  /** Starts both, each with its own database. */
  static async start({
    endpoints,
    paymentTimeoutMs,
    clock,
    barriers,
    canBreak,
    controlEndpoint,
    databases = {},
  }: DemoPairOptions): Promise<DemoPair> {
    const common = () => {
      const faults = canBreak === true ? new Faults() : undefined;
      return {
        endpoints,
        dataFolder: undefined,
        clock,
        faults,
        checkpoint: barriers?.checkpoint ?? faults?.checkpoint,
      };
    };
    const apps: INestApplication[] = [];
    const started = async (app: INestApplication): Promise<string> => {
      apps.push(app);
      await app.listen(0, '127.0.0.1');
      return urlOf(app);
    };
    try {
      const inventoryUrl = await started(
        await createInventoryDemo({ ...common(), databaseUrl: databases.inventory }, ['error', 'fatal']),
      );
      const ownOptions = { ...common(), databaseUrl: databases.order, paymentTimeoutMs, inventoryUrl, controlEndpoint };
      const orderUrl = await started(await createOrderDemo(ownOptions, ['error', 'fatal']));
      return new DemoPair(apps, orderUrl, inventoryUrl);
    } catch (error) {
      await Promise.allSettled(apps.map((app) => app.close()));
      throw error;
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.apps.map((app) => app.close()));
  }

  place(sku: string, quantity: number): Promise<Answer<OrderView>> {
    return request(`${this.orderUrl}/orders`, 'POST', { sku, quantity });
  }

  pay(id: string): Promise<Answer<OrderView>> {
    return request(`${this.orderUrl}/orders/${id}/pay`, 'POST');
  }

  cancel(id: string): Promise<Answer<OrderView>> {
    return request(`${this.orderUrl}/orders/${id}/cancel`, 'POST');
  }

  async order(id: string): Promise<OrderView> {
    return (await request<OrderView>(`${this.orderUrl}/orders/${id}`, 'GET')).body;
  }

  async orders(): Promise<OrderView[]> {
    return (await request<OrderView[]>(`${this.orderUrl}/orders`, 'GET')).body;
  }

  async stock(): Promise<StockView[]> {
    return (await request<StockView[]>(`${this.inventoryUrl}/stock`, 'GET')).body;
  }

  async stockOf(sku: string): Promise<Omit<StockView, 'sku'>> {
    const row = (await this.stock()).find((product) => product.sku === sku);
    if (row === undefined) throw new Error(`there is no product ${sku}`);
    const { available, reserved, sold } = row;
    return { available, reserved, sold };
  }

  /** Checks the invariants after a scenario; returns each violation as a sentence. */
  async violations(): Promise<string[]> {
    return [...stockViolations(await this.stock()), ...openOrders(await this.orders())];
  }
}

/** Stock that was created or lost. */
export function stockViolations(stock: readonly StockView[]): string[] {
  return PRODUCTS.flatMap(({ sku, quantity }) => {
    const row = stock.find((product) => product.sku === sku);
    if (row === undefined) return [`${sku} is gone`];
    const { available, reserved, sold } = row;
    const sum = available + reserved + sold;
    return sum === quantity ? [] : [`${sku}: ${available} + ${reserved} + ${sold} is not ${quantity}`];
  });
}

/** Orders that have not ended. */
export function openOrders(orders: readonly Pick<OrderView, 'id' | 'status'>[]): string[] {
  return orders.filter(({ status }) => !isEnded(status)).map(({ id, status }) => `order ${id} is still ${status}`);
}

/** Sends a request with a JSON body and returns the JSON answer. */
export async function request<Body>(url: string, method: string, body?: unknown): Promise<Answer<Body>> {
  const response = await fetch(url, {
    method,
    // A server may close a kept connection just as it is used again.
    headers: { connection: 'close', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Body };
}

function urlOf(app: INestApplication): string {
  return `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
}
