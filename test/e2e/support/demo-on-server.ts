// Two instances of order-demo and one of inventory-demo, each with its own pool, on databases of one server.

import type { AddressInfo } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import type { Clock } from 'nestjs-rocketmq/client';
import { createInventoryDemo } from '../../../apps/inventory-demo/src/app.js';
import { createOrderDemo } from '../../../apps/order-demo/src/app.js';
import type { DatabaseServer } from '../../../tools/servers/database-server.js';
import type { Barriers } from './barriers.js';
import { type Answer, type OrderView, request, type StockView } from './demo-pair.js';

export interface DemoOnServerOptions {
  readonly server: DatabaseServer;
  readonly endpoints: string;
  readonly clock: Clock;
  readonly paymentTimeoutMs: number;
  readonly barriers?: Barriers;
}

export class DemoOnServer {
  private constructor(
    /** Two instances of order-demo on one database. */
    readonly orderApps: readonly INestApplication[],
    private readonly inventoryApp: INestApplication,
    readonly orderDatabaseUrl: string,
  ) {}

  /** Starts all three concurrently, on new databases. */
  static async start({ server, ...options }: DemoOnServerOptions): Promise<DemoOnServer> {
    const orderDatabaseUrl = await server.createDatabase('orders');
    const inventoryDatabaseUrl = await server.createDatabase('inventory');
    const { endpoints, clock, paymentTimeoutMs, barriers } = options;
    const common = { endpoints, clock, dataFolder: undefined, checkpoint: barriers?.checkpoint };
    const orderDemo = { ...common, paymentTimeoutMs, databaseUrl: orderDatabaseUrl };
    const made = await Promise.allSettled([
      createOrderDemo(orderDemo, ['error', 'fatal']),
      createOrderDemo(orderDemo, ['error', 'fatal']),
      createInventoryDemo({ ...common, databaseUrl: inventoryDatabaseUrl }, ['error', 'fatal']),
    ]);
    const apps = made.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    try {
      for (const result of made) if (result.status === 'rejected') throw result.reason;
      await Promise.all(apps.map((app) => app.listen(0, '127.0.0.1')));
    } catch (error) {
      await Promise.allSettled(apps.map((app) => app.close()));
      throw error;
    }
    const [first, second, inventory] = apps as [INestApplication, INestApplication, INestApplication];
    return new DemoOnServer([first, second], inventory, orderDatabaseUrl);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.orderApps, this.inventoryApp].map((app) => app.close()));
  }

  /** @param index the instance that handles the request */
  place(index: number, sku: string): Promise<Answer<OrderView>> {
    return request(`${this.orderUrl(index)}/orders`, 'POST', { sku, quantity: 1 });
  }

  pay(index: number, id: string): Promise<Answer<OrderView>> {
    return request(`${this.orderUrl(index)}/orders/${id}/pay`, 'POST');
  }

  async order(index: number, id: string): Promise<OrderView> {
    return (await request<OrderView>(`${this.orderUrl(index)}/orders/${id}`, 'GET')).body;
  }

  async stock(): Promise<StockView[]> {
    return (await request<StockView[]>(`${urlOf(this.inventoryApp)}/stock`, 'GET')).body;
  }

  async stockOf(sku: string): Promise<StockView> {
    const row = (await this.stock()).find((product) => product.sku === sku);
    if (row === undefined) throw new Error(`there is no product ${sku}`);
    return row;
  }

  private orderUrl(index: number): string {
    return urlOf(this.orderApps[index] as INestApplication);
  }
}

function urlOf(app: INestApplication): string {
  return `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
}
