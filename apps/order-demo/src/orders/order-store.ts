// Orders and their history in the database. Every change of a state is a compare-and-set and adds an entry to the history.

import { Inject, Injectable } from '@nestjs/common';
import { Batches, BusinessClock, type Trace } from 'demo-kit';
import type { Kysely, Selectable } from 'kysely';
import { ORDER_DATABASE, type OrderDatabase, type OrderTransaction } from '../database/order-database.js';
import type { OrderTables } from '../database/tables.js';
import { type OrderStatus, REACHED_FROM } from './order-status.js';

export type Order = Selectable<OrderTables['orders']>;
export type NewOrder = Omit<Order, 'timeoutMessageId' | 'recallHandle'>;
export type HistoryEntry = Selectable<OrderTables['orderHistory']>;

/** An entry that is not part of a change, with the order's state. */
interface Note extends Trace {
  readonly at: Date;
  readonly id: string;
  readonly status: OrderStatus;
}

/** An entry about a message, whose order is the one whose history contains that message. */
interface MessageNote extends Trace {
  readonly at: Date;
  readonly messageId: string;
}

const LIST_LIMIT = 200;

@Injectable()
export class OrderStore {
  private readonly notes = new Batches<Note | MessageNote>((batch) => this.addNotes(batch));

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
  async ofMessage(messageId: string): Promise<Order | undefined> {
    const [found] = await this.ofMessages([messageId]);
    return found;
  }

  async insert(tx: OrderTransaction, order: NewOrder, ...traces: readonly Trace[]): Promise<Order> {
    const inserted = { ...order, timeoutMessageId: null, recallHandle: null };
    await tx.insertInto('orders').values(inserted).execute();
    await this.note(tx, inserted, ...traces);
    return inserted;
  }

  /** Moves an order to a state. Returns false and changes nothing if its current state does not allow it. */
  async move(
    tx: OrderTransaction,
    id: string,
    to: keyof typeof REACHED_FROM,
    ...traces: readonly Trace[]
  ): Promise<boolean> {
    const moving = tx.updateTable('orders').set({ status: to });
    const mayMove = moving.where('id', '=', id).where('status', 'in', REACHED_FROM[to]);
    const { numUpdatedRows } = await mayMove.executeTakeFirst();
    if (numUpdatedRows === 0n) return false;
    await this.note(tx, { id, status: to }, ...traces);
    return true;
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

  /** Adds entries to the history of an order, with the state that it has in the transaction. */
  async note(
    tx: OrderTransaction,
    { id, status }: Pick<Order, 'id' | 'status'>,
    ...traces: readonly Trace[]
  ): Promise<void> {
    const at = this.clock.now();
    await this.addEntries(
      tx,
      traces.map((trace) => ({ at, ...trace, id, status })),
    );
  }

  /** Adds an entry to the history of an order that does not change, with the state that it was read with. */
  noteAlone({ id, status }: Order, trace: Trace): Promise<void> {
    return this.notes.add({ at: this.clock.now(), ...trace, id, status });
  }

  /** Adds an entry about a message to the history of its order, with the order's state. Does nothing if no history contains it. */
  noteOfMessage(messageId: string, what: string): Promise<void> {
    return this.notes.add({ at: this.clock.now(), what, messageId });
  }

  private async addNotes(batch: readonly (Note | MessageNote)[]): Promise<void> {
    const messageIds = batch.flatMap((note) => ('id' in note ? [] : [note.messageId]));
    const orders = messageIds.length === 0 ? [] : await this.ofMessages(messageIds);
    const notes = batch.flatMap((note) => {
      if ('id' in note) return [note];
      const order = orders.find(({ messageId }) => messageId === note.messageId);
      return order === undefined ? [] : [{ ...note, id: order.id, status: order.status }];
    });
    if (notes.length > 0) await this.addEntries(this.database.db, notes);
  }

  /** The orders whose histories contain the messages. */
  private ofMessages(messageIds: readonly string[]) {
    const { db } = this.database;
    const entries = db.selectFrom('orderHistory').innerJoin('orders', 'orders.id', 'orderHistory.orderId');
    const found = entries.selectAll('orders').select('orderHistory.messageId').distinct();
    return found.where('orderHistory.messageId', 'in', messageIds).execute();
  }

  private async addEntries(tx: Kysely<OrderTables>, notes: readonly Note[]): Promise<void> {
    const rows = notes.map(({ id, at, what, status, messageId, attempt }) => ({
      orderId: id,
      at,
      what,
      status,
      messageId: messageId ?? null,
      attempt: attempt ?? null,
    }));
    await tx.insertInto('orderHistory').values(rows).execute();
  }
}
