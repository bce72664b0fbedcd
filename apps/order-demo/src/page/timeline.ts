// The time line of an order, from both services, and its new steps, for watchers.

import { Injectable } from '@nestjs/common';
import { type HistoryEntry, OrderStore } from '../orders/order-store.js';
import { InventoryClient, type StockEntry } from './inventory.client.js';

/** One step of an order. */
export interface TimelineEntry {
  readonly service: 'order-demo' | 'inventory-demo';
  /** The id in the history of its service. */
  readonly id: number;
  readonly orderId: string;
  readonly at: string;
  readonly what: string;
  readonly messageId: string | null;
  readonly attempt: number | null;
}

/** The position of a watcher in the history of each service. */
export interface Cursor {
  readonly order: number;
  /** Undefined until inventory-demo has answered once. */
  readonly stock: number | undefined;
}

const PAGE = 100;
/** Databases assign ids before commits, so a lower id may appear later. Watchers read this many entries again and drop those seen. */
const LOOK_BACK = 20;
/** With this many new steps, more may be left for the next page. */
export const FULL_PAGE = PAGE - LOOK_BACK;

@Injectable()
export class Timeline {
  constructor(
    private readonly orders: OrderStore,
    private readonly inventory: InventoryClient,
  ) {}

  /** The steps of one order, oldest first. `isComplete` is false while inventory-demo does not respond. */
  async of(orderId: string): Promise<{ readonly entries: TimelineEntry[]; readonly isComplete: boolean }> {
    const own = (await this.orders.history(orderId)).map(ownEntry);
    const theirs = await this.inventory.historyOf(orderId).catch(() => undefined);
    const entries = [...own, ...(theirs ?? []).map(stockEntry)].sort((one, other) => one.at.localeCompare(other.at));
    return { entries, isComplete: theirs !== undefined };
  }

  /** The current position, for a watcher that wants only new steps. */
  async now(): Promise<Cursor> {
    return { order: await this.orders.newest(), stock: await this.newestOfStock() };
  }

  /** Undefined if inventory-demo does not respond. */
  newestOfStock(): Promise<number | undefined> {
    return this.inventory.newest().catch(() => undefined);
  }

  /** The steps of all orders after a cursor, and some from just before it. */
  async after({ order, stock }: Cursor): Promise<TimelineEntry[]> {
    const own = await this.orders.historyAfter(Math.max(0, order - LOOK_BACK), PAGE);
    if (stock === undefined) return own.map(ownEntry);
    const theirs = await this.inventory.historyAfter(Math.max(0, stock - LOOK_BACK)).catch(() => []);
    return [...own.map(ownEntry), ...theirs.map(stockEntry)];
  }
}

function ownEntry({ id, orderId, at, what, messageId, attempt }: HistoryEntry): TimelineEntry {
  return { service: 'order-demo', id, orderId, at: at.toISOString(), what, messageId, attempt };
}

function stockEntry({ id, orderId, at, what, messageId, attempt }: StockEntry): TimelineEntry {
  return { service: 'inventory-demo', id, orderId, at, what, messageId, attempt };
}
