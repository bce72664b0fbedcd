// The HTTP client of inventory-demo, for the page. The flow itself uses messages only.

import { Inject, Injectable, ServiceUnavailableException } from '@nestjs/common';
import { ORDER_DEMO_OPTIONS, type OrderDemoOptions } from '../options.js';

const TIMEOUT_MS = 2_000;

/** One product. */
export interface Stock {
  readonly sku: string;
  readonly available: number;
  readonly reserved: number;
  readonly sold: number;
  /** The initial number, which is constant. */
  readonly total: number;
}

/** An entry of the stock history of an order. */
export interface StockEntry {
  readonly id: number;
  readonly orderId: string;
  readonly at: string;
  readonly what: string;
  readonly messageId: string | null;
  readonly attempt: number | null;
}

@Injectable()
export class InventoryClient {
  constructor(@Inject(ORDER_DEMO_OPTIONS) private readonly options: OrderDemoOptions) {}

  stock(): Promise<Stock[]> {
    return this.ask('GET', '/stock');
  }

  historyOf(orderId: string): Promise<StockEntry[]> {
    return this.ask('GET', `/stock/history?orderId=${orderId}`);
  }

  historyAfter(id: number): Promise<StockEntry[]> {
    return this.ask('GET', `/stock/history?after=${id}`);
  }

  async newest(): Promise<number> {
    return (await this.ask<{ id: number }>('GET', '/stock/history/newest')).id;
  }

  /** Injects a fault in inventory-demo. */
  async break(what: 'fail-twice' | 'stop'): Promise<void> {
    await this.ask('POST', `/faults/${what}`);
  }

  /** @throws ServiceUnavailableException */
  private async ask<T>(method: string, path: string): Promise<T> {
    try {
      const url = `${this.options.inventoryUrl}${path}`;
      const response = await fetch(url, { method, signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (response.ok) return (await response.json()) as T;
    } catch {
      // Unavailable or too slow: reported below.
    }
    throw new ServiceUnavailableException('inventory-demo does not answer');
  }
}
