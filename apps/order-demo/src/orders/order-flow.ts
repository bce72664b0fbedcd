// The life of an order, from top to bottom: it is placed, its time-out is scheduled, the inventory answers, and then it is paid,
// canceled or times out. A message and the change that it reports are one transaction. When messages are redelivered, late or
// concurrent, the state in the database decides.

import { randomUUID } from 'node:crypto';
import { Inject, Injectable, Logger } from '@nestjs/common';
import {
  BusinessClock,
  OrderCreated,
  type OrderCreatedBody,
  OrderPaid,
  type OrderReference,
  OrderTimeout,
  receivedFrom,
  STOCK_REJECTED,
  STOCK_RESERVED,
  StockResult,
  StockReturn,
  type Trace,
} from 'demo-kit';
import {
  currentTransaction,
  DeadLetterError,
  RocketMQContext,
  RocketMQListener,
  RocketMQProducer,
  TransactionalSend,
} from 'nestjs-rocketmq';
import { Inbox, TransactionLog } from 'nestjs-rocketmq/sql';
import { ORDER_DATABASE, type OrderDatabase } from '../database/order-database.js';
import { ORDER_DEMO_OPTIONS, type OrderDemoOptions } from '../options.js';
import { isEnded } from './order-status.js';
import { type NewOrder, type Order, OrderStore } from './order-store.js';

const RECALL_TIMEOUT_MS = 2_000;

/** The next state of the order, by the tag of the inventory's answer. */
const ANSWERS = new Map<string | undefined, { status: 'PENDING_PAYMENT' | 'REJECTED'; what: string }>([
  [STOCK_RESERVED, { status: 'PENDING_PAYMENT', what: 'stock reserved' }],
  [STOCK_REJECTED, { status: 'REJECTED', what: 'stock rejected' }],
]);

/** The message about an order. */
const aboutOrder = (orderId: string) => ({ body: { orderId }, keys: [orderId] });

@Injectable()
export class OrderFlow {
  private readonly logger = new Logger(OrderFlow.name);

  constructor(
    @Inject(ORDER_DATABASE) private readonly database: OrderDatabase,
    @Inject(ORDER_DEMO_OPTIONS) private readonly options: OrderDemoOptions,
    private readonly orders: OrderStore,
    private readonly producer: RocketMQProducer,
    private readonly log: TransactionLog,
    private readonly inbox: Inbox,
    private readonly clock: BusinessClock,
  ) {}

  /** 1. A customer places an order. */
  place(sku: string, quantity: number): Promise<Order> {
    const createdAt = this.clock.now();
    const expiresAt = new Date(createdAt.getTime() + this.options.paymentTimeoutMs);
    return this.insert({ id: randomUUID(), sku, quantity, status: 'PENDING_STOCK', createdAt, expiresAt });
  }

  /** Either both the order and its message are created, or neither. */
  @TransactionalSend(OrderCreated, {
    message: ({ id, sku, quantity, expiresAt }: NewOrder) => ({
      body: { orderId: id, sku, quantity, expiresAt: expiresAt.toISOString() },
      keys: [id],
    }),
  })
  async insert(order: NewOrder): Promise<Order> {
    const transaction = currentTransaction();
    const { messageId } = transaction;
    return this.database.transaction(async (tx) => {
      await this.log.record(this.database.portOf(tx), transaction);
      return this.orders.insert(tx, order, { what: 'half message sent', messageId }, { what: 'created', messageId });
    });
  }

  /** 2. The order is stored; schedules its time-out. A crash can cause a second time-out message, which has no effect. */
  @RocketMQListener(OrderCreated)
  async startTimeToPay({ orderId, expiresAt }: OrderCreatedBody, context: RocketMQContext): Promise<void> {
    const order = await this.orders.find(orderId);
    if (order === undefined) throw new Error(`order ${orderId} was announced, but is not in the database`);
    await this.orders.noteAlone(order, { ...receivedFrom(context), what: 'order-created received' });
    if (isEnded(order.status) || order.timeoutMessageId !== null) return;
    const options = { deliverAt: new Date(expiresAt), keys: [orderId] };
    const { messageId, recallHandle } = await this.producer.send(OrderTimeout, { orderId }, options);
    await this.database.transaction(async (tx) => {
      const timeout = { timeoutMessageId: messageId, recallHandle: recallHandle ?? null };
      const scheduled = await this.orders.keepTimeout(tx, orderId, timeout);
      if (scheduled !== undefined) await this.orders.note(tx, scheduled, { what: 'time-out scheduled', messageId });
    });
  }

  /** 3. The inventory has reserved the stock, or has too little. An order that was canceled meanwhile stays canceled. */
  @RocketMQListener(StockResult)
  async takeAnswer({ orderId }: OrderReference, context: RocketMQContext): Promise<void> {
    const { tag } = context.message;
    const answer = ANSWERS.get(tag);
    if (answer === undefined) throw new DeadLetterError(`tag "${tag}" is not an answer of inventory-demo`);
    const { status, what } = answer;
    const received = receivedFrom(context);
    await this.database.transaction(async (tx) => {
      await this.inbox.once(this.database.portOf(tx), `${orderId}:stock-result`, async () => {
        if (await this.orders.move(tx, orderId, status, { ...received, what })) return;
        const order = await this.orders.read(tx, orderId);
        if (order === undefined) throw new Error(`order ${orderId} got an answer, but is not in the database`);
        await this.orders.note(tx, order, { ...received, what: `${what}, too late` });
      });
    });
  }

  /** 4. The customer pays. @returns undefined if the order is not payable, or no longer */
  async pay(orderId: string): Promise<Order | undefined> {
    const paid = await this.markPaid(orderId);
    if (paid !== undefined) await this.recallTimeout(paid);
    return paid;
  }

  /** Competes with the time-out: the first to change the state wins. The other's message is rolled back and never delivered. */
  @TransactionalSend(OrderPaid, { message: aboutOrder })
  async markPaid(orderId: string): Promise<Order | undefined> {
    const transaction = currentTransaction();
    const paid = await this.database.transaction(async (tx) => {
      const { messageId } = transaction;
      if (!(await this.orders.move(tx, orderId, 'PAID', { what: 'paid', messageId }))) return undefined;
      await this.log.record(this.database.portOf(tx), transaction);
      return this.orders.read(tx, orderId);
    });
    if (paid === undefined) transaction.rollback();
    return paid;
  }

  /** 5. Or the customer cancels. @returns undefined if the order has already ended */
  async cancel(orderId: string): Promise<Order | undefined> {
    const canceled = await this.markCanceled(orderId, { what: 'canceled: on request' });
    if (canceled !== undefined) await this.recallTimeout(canceled);
    return canceled;
  }

  /** 6. Or the order times out. One that was paid or rejected meanwhile does not change. */
  @RocketMQListener(OrderTimeout)
  async timeOut({ orderId }: OrderReference, context: RocketMQContext): Promise<void> {
    const received = receivedFrom(context);
    const canceled = await this.markCanceled(orderId, { ...received, what: 'canceled: not paid in time' });
    if (canceled !== undefined) return;
    const order = await this.orders.find(orderId);
    if (order !== undefined) await this.orders.noteAlone(order, { ...received, what: 'time-out came too late' });
  }

  /** Cancels an order that has not ended, with the message that returns its stock. */
  @TransactionalSend(StockReturn, { message: aboutOrder })
  async markCanceled(orderId: string, why: Trace): Promise<Order | undefined> {
    const transaction = currentTransaction();
    const { messageId } = transaction;
    const canceled = await this.database.transaction(async (tx) => {
      const sent = { what: 'stock return sent', messageId };
      if (!(await this.orders.move(tx, orderId, 'CANCELED', why, sent))) return undefined;
      await this.log.record(this.database.portOf(tx), transaction);
      return this.orders.read(tx, orderId);
    });
    if (canceled === undefined) transaction.rollback();
    return canceled;
  }

  /** Recalls the time-out message, which is no longer needed. If that fails, the message is delivered and has no effect. */
  private async recallTimeout({ id }: Order): Promise<void> {
    try {
      // Read again: the time-out may have been scheduled since.
      const order = await this.orders.find(id);
      if (order === undefined || order.recallHandle === null) return;
      const { recallHandle, timeoutMessageId } = order;
      await this.producer.recall({ topic: OrderTimeout.name, recallHandle }, { timeoutMs: RECALL_TIMEOUT_MS });
      await this.orders.noteAlone(order, { what: 'time-out recalled', messageId: timeoutMessageId ?? undefined });
    } catch (error) {
      this.logger.debug(`the time-out of order ${id} may not have been recalled: ${String(error)}`);
    }
  }
}
