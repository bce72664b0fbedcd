// Placing an order: the order and its message `order-created` come into being together, or not at all.

import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { BusinessClock, OrderCreated } from 'demo-kit';
import { currentTransaction, TransactionalSend } from 'nestjs-rocketmq';
import { TransactionLog } from 'nestjs-rocketmq/sql';
import { ORDER_DATABASE, type OrderDatabase } from '../database/order-database.js';
import { ORDER_DEMO_OPTIONS, type OrderDemoOptions } from '../options.js';
import { type NewOrder, type Order, OrderStore } from './order-store.js';

@Injectable()
export class OrderPlacement {
  constructor(
    @Inject(ORDER_DATABASE) private readonly database: OrderDatabase,
    @Inject(ORDER_DEMO_OPTIONS) private readonly options: OrderDemoOptions,
    private readonly orders: OrderStore,
    private readonly log: TransactionLog,
    private readonly clock: BusinessClock,
  ) {}

  /** Places an order that expires when its time to pay is over. */
  place(sku: string, quantity: number): Promise<Order> {
    const createdAt = this.clock.now();
    const expiresAt = new Date(createdAt.getTime() + this.options.paymentTimeoutMs);
    const id = randomUUID();
    return this.insert({ id, sku, quantity, status: 'PENDING_STOCK', createdAt, expiresAt });
  }

  @TransactionalSend(OrderCreated, {
    message: ({ id, sku, quantity, expiresAt }: NewOrder) => ({
      body: { orderId: id, sku, quantity, expiresAt: expiresAt.toISOString() },
      keys: [id],
    }),
  })
  async insert(order: NewOrder): Promise<Order> {
    const transaction = currentTransaction();
    return this.database.transaction(async (tx) => {
      await this.log.record(this.database.portOf(tx), transaction);
      const { messageId } = transaction;
      const inserted = await this.orders.insert(tx, order, { what: 'half message sent', messageId });
      await this.orders.note(tx, inserted, { what: 'created', messageId });
      return inserted;
    });
  }
}
