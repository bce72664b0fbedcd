// Cancelling an order, by its time-out or by hand, with the message that returns its stock.

import { Inject, Injectable } from '@nestjs/common';
import { StockReturn, type Trace } from 'demo-kit';
import { currentTransaction, TransactionalSend } from 'nestjs-rocketmq';
import { TransactionLog } from 'nestjs-rocketmq/sql';
import { ORDER_DATABASE, type OrderDatabase } from '../database/order-database.js';
import { type Order, OrderStore } from './order-store.js';

/** How a cancellation goes into the history. */
export interface CancellationTraces {
  readonly cancelled: Trace;
  /** Written when the order could not be cancelled any more; left out, nothing is written then. */
  readonly refused?: Trace;
}

@Injectable()
export class Cancellation {
  constructor(
    @Inject(ORDER_DATABASE) private readonly database: OrderDatabase,
    private readonly orders: OrderStore,
    private readonly log: TransactionLog,
  ) {}

  /** The cancelled order; undefined when it has ended already, and then no message becomes visible. */
  @TransactionalSend(StockReturn, { message: (orderId: string) => ({ body: { orderId }, keys: [orderId] }) })
  async cancel(orderId: string, traces: CancellationTraces): Promise<Order | undefined> {
    const transaction = currentTransaction();
    return this.database.transaction(async (tx) => {
      const cancelled = await this.orders.move(tx, orderId, 'CANCELLED', traces.cancelled);
      if (cancelled !== undefined) {
        await this.orders.note(tx, cancelled, { what: 'stock return sent', messageId: transaction.messageId });
        await this.log.record(this.database.portOf(tx), transaction);
        return cancelled;
      }
      transaction.rollback();
      const order = await this.orders.read(tx, orderId);
      if (order !== undefined && traces.refused !== undefined) await this.orders.note(tx, order, traces.refused);
      return undefined;
    });
  }
}
