// What an order does to the stock: reserve, sell, return. Each step happens once per order, whatever comes twice or too early.

import { Inject, Injectable } from '@nestjs/common';
import { type OrderCreatedBody, type Received, STOCK_REJECTED, STOCK_RESERVED, StockResult } from 'demo-kit';
import { eq } from 'drizzle-orm';
import { currentTransaction, TransactionalSend } from 'nestjs-rocketmq';
import { Inbox, TransactionLog } from 'nestjs-rocketmq/sql';
import {
  INVENTORY_DATABASE,
  type InventoryDatabase,
  type InventoryTransaction,
} from '../database/inventory-database.js';
import { reservations } from '../database/schema.js';
import { StockHistory } from './stock-history.js';
import { StockStore } from './stock-store.js';

type Reservation = typeof reservations.$inferSelect;

interface Step {
  readonly orderId: string;
  readonly step: 'reserve' | 'sell' | 'return';
  readonly received: Received;
}

@Injectable()
export class Reservations {
  constructor(
    @Inject(INVENTORY_DATABASE) private readonly database: InventoryDatabase,
    private readonly stock: StockStore,
    private readonly history: StockHistory,
    private readonly log: TransactionLog,
    private readonly inbox: Inbox,
  ) {}

  /** Reserves what the order wants and answers it; an order that was returned before is suspended: nothing happens. */
  @TransactionalSend(StockResult)
  async reserve(order: OrderCreatedBody, received: Received): Promise<void> {
    const { orderId, sku, quantity } = order;
    const work = async (tx: InventoryTransaction): Promise<string> => {
      const [fresh] = await tx
        .insert(reservations)
        .values({ orderId, sku, quantity, status: 'RESERVED' })
        .onConflictDoNothing()
        .returning();
      // A return came first and left its tombstone.
      if (fresh === undefined) return 'not reserved: returned before';
      const isReserved = await this.stock.move(tx, sku, quantity, 'available', 'reserved');
      if (!isReserved) await this.settle(tx, fresh, 'REJECTED');
      const tag = isReserved ? STOCK_RESERVED : STOCK_REJECTED;
      // Inside the database transaction, since only here the answer is known; before its commit, so that none gets lost.
      await currentTransaction().prepare({ body: { orderId }, tag, keys: [orderId] });
      await this.log.record(this.database.portOf(tx));
      return tag;
    };
    await this.once({ orderId, step: 'reserve', received }, work, { isRepeatable: false });
  }

  /** Sells what a paid order has reserved. */
  async sell(orderId: string, received: Received): Promise<void> {
    await this.once({ orderId, step: 'sell', received }, async (tx) => {
      const reservation = await this.find(tx, orderId);
      // An order is payable only after its reservation: anything else is a fault that a person must see.
      if (reservation?.status !== 'RESERVED') throw new Error(notReserved(orderId, 'paid', reservation));
      await this.movePieces(tx, reservation, 'sold');
      await this.settle(tx, reservation, 'SOLD');
      return 'sold';
    });
  }

  /** Returns what a cancelled order has reserved; leaves a tombstone when its reservation has not come yet. */
  async giveBack(orderId: string, received: Received): Promise<void> {
    await this.once({ orderId, step: 'return', received }, async (tx) => {
      const tombstone = { orderId, sku: null, quantity: 0, status: 'RETURNED' as const };
      const [left] = await tx.insert(reservations).values(tombstone).onConflictDoNothing().returning();
      if (left !== undefined) return 'returned before the reservation';
      const reservation = await this.find(tx, orderId);
      if (reservation?.status === 'REJECTED') return 'nothing to return';
      if (reservation?.status !== 'RESERVED') throw new Error(notReserved(orderId, 'cancelled', reservation));
      await this.movePieces(tx, reservation, 'available');
      await this.settle(tx, reservation, 'RETURNED');
      return 'returned';
    });
  }

  /** The key is the business's: a message that is sent again may have another id. @param work says what it did */
  private async once(
    { orderId, step, received }: Step,
    work: (tx: InventoryTransaction) => Promise<string>,
    options?: { readonly isRepeatable: boolean },
  ): Promise<void> {
    await this.database.transaction(async (tx) => {
      const done = await this.inbox.once(this.database.portOf(tx), `${orderId}:${step}`, () => work(tx));
      const what = done.first ? done.result : `came again: nothing to ${step}`;
      await this.history.note(tx, orderId, { ...received, what });
    }, options);
  }

  private async find(tx: InventoryTransaction, orderId: string): Promise<Reservation | undefined> {
    return (await tx.select().from(reservations).where(eq(reservations.orderId, orderId)).for('update'))[0];
  }

  private async movePieces(
    tx: InventoryTransaction,
    { orderId, sku, quantity }: Reservation,
    to: 'available' | 'sold',
  ): Promise<void> {
    const isMoved = sku !== null && (await this.stock.move(tx, sku, quantity, 'reserved', to));
    if (!isMoved) throw new Error(`the stock holds less than order ${orderId} has reserved`);
  }

  private async settle(
    tx: InventoryTransaction,
    { orderId }: Reservation,
    status: Reservation['status'],
  ): Promise<void> {
    await tx.update(reservations).set({ status }).where(eq(reservations.orderId, orderId));
  }
}

function notReserved(orderId: string, what: string, reservation: Reservation | undefined): string {
  return `order ${orderId} was ${what}, but its reservation is ${reservation?.status ?? 'missing'}`;
}
