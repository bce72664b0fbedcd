// What the inventory's answer means for an order.

import { Inject, Injectable } from '@nestjs/common';
import { type Received, STOCK_REJECTED, STOCK_RESERVED } from 'demo-kit';
import { Inbox } from 'nestjs-rocketmq/sql';
import { ORDER_DATABASE, type OrderDatabase } from '../database/order-database.js';
import { OrderStore } from './order-store.js';

const MEANINGS = {
  [STOCK_RESERVED]: { status: 'PENDING_PAYMENT', what: 'stock reserved' },
  [STOCK_REJECTED]: { status: 'REJECTED', what: 'stock rejected' },
} as const;

/** What an answer can be. */
export type StockAnswerKind = keyof typeof MEANINGS;

export function isStockAnswer(text: string | undefined): text is StockAnswerKind {
  return text !== undefined && Object.hasOwn(MEANINGS, text);
}

@Injectable()
export class StockAnswer {
  constructor(
    @Inject(ORDER_DATABASE) private readonly database: OrderDatabase,
    private readonly orders: OrderStore,
    private readonly inbox: Inbox,
  ) {}

  /** Takes an answer, once. An order that was cancelled meanwhile stays so. */
  async take(orderId: string, answer: StockAnswerKind, received: Received): Promise<void> {
    const { status, what } = MEANINGS[answer];
    await this.database.transaction(async (tx) => {
      await this.inbox.once(this.database.portOf(tx), `${orderId}:stock-result`, async () => {
        const moved = await this.orders.move(tx, orderId, status, { ...received, what });
        if (moved !== undefined) return;
        const order = await this.orders.read(tx, orderId);
        if (order === undefined) throw new Error(`order ${orderId} got an answer, but is not in the database`);
        await this.orders.note(tx, order, { ...received, what: `${what}, too late` });
      });
    });
  }
}
