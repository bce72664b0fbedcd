// The time line of an order, from both services; and what is new in it, for those who watch.

import { Injectable } from '@nestjs/common';
import { type HistoryEntry, OrderStore } from '../orders/order-store.js';
import { InventoryClient, type StockEntry } from './inventory.client.js';

/** One step of an order. */
export interface TimelineEntry {
  readonly service: 'order-demo' | 'inventory-demo';
  /** Counted by its service. */
  readonly id: number;
  readonly orderId: string;
  readonly at: string;
  readonly what: string;
  readonly messageId: string | null;
  readonly attempt: number | null;
}

/** How far a watcher is, in either service. */
export interface Cursor {
  readonly order: number;
  /** Undefined until inventory-demo has answered once. */
  readonly stock: number | undefined;
}

const PAGE = 100;
/** PostgreSQL gives numbers before commits: a lower one may show up later. A watcher drops what it has seen. */
const LOOK_BACK = 20;
/** Of so many new steps at once some may have been left for the next page. */
export const FULL_PAGE = PAGE - LOOK_BACK;

@Injectable()
export class Timeline {
  constructor(
    private readonly orders: OrderStore,
    private readonly inventory: InventoryClient,
  ) {}

  /** Of one order, oldest first. `isComplete` is false while inventory-demo does not answer. */
  async of(orderId: string): Promise<{ readonly entries: TimelineEntry[]; readonly isComplete: boolean }> {
    const own = (await this.orders.history(orderId)).map(ownEntry);
    const theirs = await this.inventory.historyOf(orderId).catch(() => undefined);
    const entries = [...own, ...(theirs ?? []).map(stockEntry)].sort((one, other) => one.at.localeCompare(other.at));
    return { entries, isComplete: theirs !== undefined };
  }

  /** Now, for a watcher who wants only what comes. */
  async now(): Promise<Cursor> {
    return { order: await this.orders.newest(), stock: await this.newestOfStock() };
  }

  /** Undefined when inventory-demo does not answer. */
  newestOfStock(): Promise<number | undefined> {
    return this.inventory.newest().catch(() => undefined);
  }

  /** What happened after a cursor, to any order, and some of what came just before it. */
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
