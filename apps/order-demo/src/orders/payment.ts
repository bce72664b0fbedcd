// Paying an order. It competes with the time-out: whoever changes the state first has won.

import { Inject, Injectable } from '@nestjs/common';
import { OrderPaid } from 'demo-kit';
import { currentTransaction, TransactionalSend } from 'nestjs-rocketmq';
import { TransactionLog } from 'nestjs-rocketmq/sql';
import { ORDER_DATABASE, type OrderDatabase } from '../database/order-database.js';
import { type Order, OrderStore } from './order-store.js';

@Injectable()
export class Payment {
  constructor(
    @Inject(ORDER_DATABASE) private readonly database: OrderDatabase,
    private readonly orders: OrderStore,
    private readonly log: TransactionLog,
  ) {}

  /** The paid order; undefined when it is not payable, and then no message becomes visible. */
  @TransactionalSend(OrderPaid, { message: (orderId: string) => ({ body: { orderId }, keys: [orderId] }) })
  async pay(orderId: string): Promise<Order | undefined> {
    const transaction = currentTransaction();
    return this.database.transaction(async (tx) => {
      const { messageId } = transaction;
      const paid = await this.orders.move(tx, orderId, 'PAID', { what: 'paid', messageId });
      if (paid === undefined) transaction.rollback();
      else await this.log.record(this.database.portOf(tx), transaction);
      return paid;
    });
  }
}
