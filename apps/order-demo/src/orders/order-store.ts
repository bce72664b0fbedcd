// Orders and their history in the database. Every change of a state is a compare-and-set and adds an entry to the history.

import { Inject, Injectable } from '@nestjs/common';
import { BusinessClock, type Trace } from 'demo-kit';
import { and, asc, desc, eq, gt, inArray } from 'drizzle-orm';
import { ORDER_DATABASE, type OrderDatabase, type OrderTransaction } from '../database/order-database.js';
import { orderHistory, orders } from '../database/schema.js';
import { REACHED_FROM } from './order-status.js';

export type Order = typeof orders.$inferSelect;
export type NewOrder = typeof orders.$inferInsert;
export type HistoryEntry = typeof orderHistory.$inferSelect;

const LIST_LIMIT = 200;

@Injectable()
export class OrderStore {
  constructor(
    @Inject(ORDER_DATABASE) private readonly database: OrderDatabase,
    private readonly clock: BusinessClock,
  ) {}

  async find(id: string): Promise<Order | undefined> {
    return (await this.database.db.select().from(orders).where(eq(orders.id, id)))[0];
  }

  /** The latest orders, newest first. */
  list(): Promise<Order[]> {
    return this.database.db.select().from(orders).orderBy(desc(orders.createdAt), asc(orders.id)).limit(LIST_LIMIT);
  }

  /** The history of an order, oldest first. */
  history(orderId: string): Promise<HistoryEntry[]> {
    const { db } = this.database;
    return db.select().from(orderHistory).where(eq(orderHistory.orderId, orderId)).orderBy(asc(orderHistory.id));
  }

  /** The entries of all orders after an entry, oldest first. */
  historyAfter(id: number, limit: number): Promise<HistoryEntry[]> {
    const { db } = this.database;
    return db.select().from(orderHistory).where(gt(orderHistory.id, id)).orderBy(asc(orderHistory.id)).limit(limit);
  }

  /** The id of the newest entry; 0 if there is none. */
  async newest(): Promise<number> {
    const { id } = orderHistory;
    return (await this.database.db.select({ id }).from(orderHistory).orderBy(desc(id)).limit(1))[0]?.id ?? 0;
  }

  /** The order whose history contains a message; undefined if there is none. */
  async ofMessage(messageId: string): Promise<Order | undefined> {
    const { db } = this.database;
    const ofMessage = db
      .select({ id: orderHistory.orderId })
      .from(orderHistory)
      .where(eq(orderHistory.messageId, messageId));
    return (await db.select().from(orders).where(inArray(orders.id, ofMessage)))[0];
  }

  async insert(tx: OrderTransaction, order: NewOrder, trace: Trace): Promise<Order> {
    const [inserted] = await tx.insert(orders).values(order).returning();
    if (inserted === undefined) throw new Error(`order ${order.id} was not inserted`);
    await this.note(tx, inserted, trace);
    return inserted;
  }

  /** Moves an order to a state. Returns undefined and changes nothing if its current state does not allow it. */
  async move(
    tx: OrderTransaction,
    id: string,
    to: keyof typeof REACHED_FROM,
    trace: Trace,
  ): Promise<Order | undefined> {
    const mayMove = and(eq(orders.id, id), inArray(orders.status, [...REACHED_FROM[to]]));
    const [moved] = await tx.update(orders).set({ status: to }).where(mayMove).returning();
    if (moved !== undefined) await this.note(tx, moved, trace);
    return moved;
  }

  /** Like {@link find}, inside a transaction. */
  async read(tx: OrderTransaction, id: string): Promise<Order | undefined> {
    return (await tx.select().from(orders).where(eq(orders.id, id)))[0];
  }

  /** Stores the time-out message of an order; returns undefined if the order does not exist. */
  async keepTimeout(
    tx: OrderTransaction,
    id: string,
    timeout: Pick<Order, 'timeoutMessageId' | 'recallHandle'>,
  ): Promise<Order | undefined> {
    return (await tx.update(orders).set(timeout).where(eq(orders.id, id)).returning())[0];
  }

  /** Adds an entry about a message to the history of its order, with the order's state. Does nothing if no history contains it. */
  async noteOfMessage(messageId: string, what: string): Promise<void> {
    const { db } = this.database;
    const at = this.clock.now();
    const order = await this.ofMessage(messageId);
    if (order !== undefined) {
      await db.insert(orderHistory).values({ orderId: order.id, at, what, status: order.status, messageId });
    }
  }

  /** Adds an entry to the history, with the state of the order. */
  async note(tx: OrderTransaction, { id, status }: Order, { what, messageId, attempt }: Trace): Promise<void> {
    await tx.insert(orderHistory).values({ orderId: id, at: this.clock.now(), what, status, messageId, attempt });
  }
}
