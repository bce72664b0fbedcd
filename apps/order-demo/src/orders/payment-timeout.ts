// The message that comes back when an order's time to pay is over.

import { Inject, Injectable, Logger } from '@nestjs/common';
import { type OrderCreatedBody, OrderTimeout, type Received, type Trace } from 'demo-kit';
import { RocketMQProducer } from 'nestjs-rocketmq';
import { ORDER_DATABASE, type OrderDatabase } from '../database/order-database.js';
import { isEnded } from './order-status.js';
import { type Order, OrderStore } from './order-store.js';

const RECALL_TIMEOUT_MS = 2_000;

@Injectable()
export class PaymentTimeout {
  private readonly logger = new Logger(PaymentTimeout.name);

  constructor(
    @Inject(ORDER_DATABASE) private readonly database: OrderDatabase,
    private readonly orders: OrderStore,
    private readonly producer: RocketMQProducer,
  ) {}

  /** Sends the message for an order that is still open. A second one, after a crash in between, does no harm. */
  async schedule({ orderId, expiresAt }: OrderCreatedBody, received: Received): Promise<void> {
    const order = await this.orders.find(orderId);
    if (order === undefined) throw new Error(`order ${orderId} was announced, but is not in the database`);
    await this.note(order, { ...received, what: 'order-created is committed: received' });
    if (isEnded(order.status) || order.timeoutMessageId !== null) return;
    const options = { deliverAt: new Date(expiresAt), keys: [orderId] };
    const { messageId, recallHandle } = await this.producer.send(OrderTimeout, { orderId }, options);
    const timeout = { timeoutMessageId: messageId, recallHandle: recallHandle ?? null };
    await this.database.transaction(async (tx) => {
      const scheduled = await this.orders.keepTimeout(tx, orderId, timeout);
      if (scheduled !== undefined) await this.orders.note(tx, scheduled, { what: 'time-out scheduled', messageId });
    });
  }

  /** Takes the message back where the server can. Nothing depends on it: one that comes late changes nothing. */
  async recall({ id }: Order): Promise<void> {
    const order = await this.orders.find(id);
    const recallHandle = order?.recallHandle ?? undefined;
    if (order === undefined || recallHandle === undefined) return;
    try {
      await this.producer.recall({ topic: OrderTimeout.name, recallHandle }, { timeoutMs: RECALL_TIMEOUT_MS });
      await this.note(order, { what: 'time-out recalled', messageId: order.timeoutMessageId ?? undefined });
    } catch (error) {
      this.logger.debug(`the time-out of order ${id} was not taken back: ${String(error)}`);
    }
  }

  private async note(order: Order, trace: Trace): Promise<void> {
    await this.database.transaction((tx) => this.orders.note(tx, order, trace));
  }
}
