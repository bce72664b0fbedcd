// The stock of an order, from top to bottom: it is reserved, and then sold or returned. Each step takes effect once per order, even
// if messages are redelivered or arrive out of order.

import { Inject, Injectable } from '@nestjs/common';
import {
  OrderCreated,
  type OrderCreatedBody,
  OrderPaid,
  type OrderReference,
  receivedFrom,
  STOCK_REJECTED,
  STOCK_RESERVED,
  StockResult,
  StockReturn,
} from 'demo-kit';
import { currentTransaction, RocketMQContext, RocketMQListener, TransactionalSend } from 'nestjs-rocketmq';
import { Inbox, TransactionLog } from 'nestjs-rocketmq/sql';
import {
  INVENTORY_DATABASE,
  type InventoryDatabase,
  type InventoryTransaction,
} from '../database/inventory-database.js';
import { type Reservation, ReservationStore } from './reservation-store.js';
import { StockHistory } from './stock-history.js';
import { StockStore } from './stock-store.js';

interface Step {
  readonly orderId: string;
  readonly name: 'reserve' | 'sell' | 'return';
  readonly context: RocketMQContext;
}

@Injectable()
export class StockFlow {
  constructor(
    @Inject(INVENTORY_DATABASE) private readonly database: InventoryDatabase,
    private readonly stock: StockStore,
    private readonly reservations: ReservationStore,
    private readonly history: StockHistory,
    private readonly log: TransactionLog,
    private readonly inbox: Inbox,
  ) {}

  /** 1. Reserves stock for an order and sends the result. Does nothing if the order was canceled, and so returned, before. */
  @RocketMQListener(OrderCreated)
  @TransactionalSend(StockResult)
  async reserve({ orderId, sku, quantity }: OrderCreatedBody, context: RocketMQContext): Promise<void> {
    await this.once({ orderId, name: 'reserve', context }, async (tx) => {
      const reservation = await this.reservations.insert(tx, { orderId, sku, quantity });
      if (reservation === undefined) return 'not reserved: returned before';
      const isReserved = await this.stock.move(tx, sku, quantity, 'available', 'reserved');
      if (!isReserved) await this.reservations.settle(tx, reservation, 'REJECTED');
      const tag = isReserved ? STOCK_RESERVED : STOCK_REJECTED;
      // Sent inside the database transaction, where the result is known, and before its commit, so that it cannot be lost.
      await currentTransaction().prepare({ body: { orderId }, tag, keys: [orderId] });
      await this.log.record(this.database.portOf(tx));
      return tag;
    });
  }

  /** 2. The order was paid: its reserved stock is sold. */
  @RocketMQListener(OrderPaid)
  async sell({ orderId }: OrderReference, context: RocketMQContext): Promise<void> {
    await this.once({ orderId, name: 'sell', context }, async (tx) => {
      const reservation = await this.reservations.find(tx, orderId);
      // An order is payable only after its reservation. Anything else is a bug and must be visible.
      if (reservation?.status !== 'RESERVED') throw new Error(notReserved(orderId, 'paid', reservation));
      await this.movePieces(tx, reservation, 'sold');
      await this.reservations.settle(tx, reservation, 'SOLD');
      return 'sold';
    });
  }

  /** 3. Or it was canceled: its reserved stock is returned. If the reservation has not arrived yet, it must not take effect later. */
  @RocketMQListener(StockReturn)
  async returnStock({ orderId }: OrderReference, context: RocketMQContext): Promise<void> {
    await this.once({ orderId, name: 'return', context }, async (tx) => {
      if (await this.reservations.insertTombstone(tx, orderId)) return 'returned before the reservation';
      const reservation = await this.reservations.find(tx, orderId);
      if (reservation?.status === 'REJECTED') return 'nothing to return';
      if (reservation?.status !== 'RESERVED') throw new Error(notReserved(orderId, 'canceled', reservation));
      await this.movePieces(tx, reservation, 'available');
      await this.reservations.settle(tx, reservation, 'RETURNED');
      return 'returned';
    });
  }

  /** The inbox key is a business key, because a message that is sent again can have another id. @param work returns what it did */
  private async once(
    { orderId, name, context }: Step,
    work: (tx: InventoryTransaction) => Promise<string>,
  ): Promise<void> {
    await this.database.transaction(async (tx) => {
      const done = await this.inbox.once(this.database.portOf(tx), `${orderId}:${name}`, () => work(tx));
      const what = done.first ? done.result : `redelivered: nothing to ${name}`;
      await this.history.note(tx, orderId, { ...receivedFrom(context), what });
    });
  }

  private async movePieces(
    tx: InventoryTransaction,
    { orderId, sku, quantity }: Reservation,
    to: 'available' | 'sold',
  ): Promise<void> {
    const isMoved = sku !== null && (await this.stock.move(tx, sku, quantity, 'reserved', to));
    if (!isMoved) throw new Error(`the stock holds less than order ${orderId} has reserved`);
  }
}

function notReserved(orderId: string, what: string, reservation: Reservation | undefined): string {
  return `order ${orderId} was ${what}, but its reservation is ${reservation?.status ?? 'missing'}`;
}
