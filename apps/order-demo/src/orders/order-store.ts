// Orders and their history in the database. Every change of a state is a compare-and-set and adds an entry to the history.

import { Inject, Injectable } from '@nestjs/common';
import { BusinessClock, type Trace } from 'demo-kit';
import type { Kysely, Selectable } from 'kysely';
import { ORDER_DATABASE, type OrderDatabase, type OrderTransaction } from '../database/order-database.js';
import type { OrderTables } from '../database/tables.js';
import { REACHED_FROM } from './order-status.js';

export type Order = Selectable<OrderTables['orders']>;
export type NewOrder = Omit<Order, 'timeoutMessageId' | 'recallHandle'>;
export type HistoryEntry = Selectable<OrderTables['orderHistory']>;

const LIST_LIMIT = 200;

@Injectable()
export class OrderStore {
  constructor(
    @Inject(ORDER_DATABASE) private readonly database: OrderDatabase,
    private readonly clock: BusinessClock,
  ) {}

  find(id: string): Promise<Order | undefined> {
    return this.read(this.database.db, id);
  }

  /** Like {@link find}, inside a transaction. */
  read(tx: Kysely<OrderTables>, id: string): Promise<Order | undefined> {
    return tx.selectFrom('orders').selectAll().where('id', '=', id).executeTakeFirst();
  }

  /** The latest orders, newest first. */
  list(): Promise<Order[]> {
    const orders = this.database.db.selectFrom('orders').selectAll();
    return orders.orderBy('createdAt', 'desc').orderBy('id').limit(LIST_LIMIT).execute();
  }

  /** The history of an order, oldest first. */
  history(orderId: string): Promise<HistoryEntry[]> {
    const entries = this.database.db.selectFrom('orderHistory').selectAll();
    return entries.where('orderId', '=', orderId).orderBy('id').execute();
  }

  /** The entries of all orders after an entry, oldest first. */
  historyAfter(id: number, limit: number): Promise<HistoryEntry[]> {
    const entries = this.database.db.selectFrom('orderHistory').selectAll();
    return entries.where('id', '>', id).orderBy('id').limit(limit).execute();
  }

  /** The id of the newest entry; 0 if there is none. */
  async newest(): Promise<number> {
    const ids = this.database.db.selectFrom('orderHistory').select('id');
    return (await ids.orderBy('id', 'desc').limit(1).executeTakeFirst())?.id ?? 0;
  }

  /** The order whose history contains a message; undefined if there is none. */
  ofMessage(messageId: string): Promise<Order | undefined> {
    const { db } = this.database;
    const ofMessage = db.selectFrom('orderHistory').select('orderId').where('messageId', '=', messageId);
    return db.selectFrom('orders').selectAll().where('id', 'in', ofMessage).executeTakeFirst();
  }

  async insert(tx: OrderTransaction, order: NewOrder, trace: Trace): Promise<Order> {
    const inserted = { ...order, timeoutMessageId: null, recallHandle: null };
    await tx.insertInto('orders').values(inserted).execute();
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
    const moving = tx.updateTable('orders').set({ status: to });
    const mayMove = moving.where('id', '=', id).where('status', 'in', REACHED_FROM[to]);
    const { numUpdatedRows } = await mayMove.executeTakeFirst();
    if (numUpdatedRows === 0n) return undefined;
    // The UPDATE has locked the row, so this is what it left.
    const moved = await this.read(tx, id);
    if (moved !== undefined) await this.note(tx, moved, trace);
    return moved;
  }

  /** Stores the time-out message of an order; returns undefined if the order does not exist. */
  async keepTimeout(
    tx: OrderTransaction,
    id: string,
    timeout: Pick<Order, 'timeoutMessageId' | 'recallHandle'>,
  ): Promise<Order | undefined> {
    await tx.updateTable('orders').set(timeout).where('id', '=', id).execute();
    return this.read(tx, id);
  }

  /** Adds an entry about a message to the history of its order, with the order's state. Does nothing if no history contains it. */
  async noteOfMessage(messageId: string, what: string): Promise<void> {
    const at = this.clock.now();
    const order = await this.ofMessage(messageId);
    if (order !== undefined) await this.addEntry(this.database.db, order, { at, what, messageId });
  }

  /** Adds an entry to the history, with the state of the order. */
  async note(tx: OrderTransaction, order: Order, trace: Trace): Promise<void> {
    await this.addEntry(tx, order, { at: this.clock.now(), ...trace });
  }

  private async addEntry(
    tx: Kysely<OrderTables>,
    { id, status }: Order,
    { at, what, messageId, attempt }: Trace & { readonly at: Date },
  ): Promise<void> {
    await tx.insertInto('orderHistory').values({ orderId: id, at, what, status, messageId, attempt }).execute();
  }
}
