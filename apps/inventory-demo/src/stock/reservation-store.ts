// The reservations of orders: one row per order, whichever of its messages arrives first.

import { Inject, Injectable } from '@nestjs/common';
import type { Selectable } from 'kysely';
import {
  INVENTORY_DATABASE,
  type InventoryDatabase,
  type InventoryTransaction,
} from '../database/inventory-database.js';
import type { InventoryTables } from '../database/tables.js';

export type Reservation = Selectable<InventoryTables['reservations']>;

@Injectable()
export class ReservationStore {
  constructor(@Inject(INVENTORY_DATABASE) private readonly database: InventoryDatabase) {}

  /** Returns undefined and changes nothing if the order already has a row: its return arrived first and left a tombstone. */
  async insert(tx: InventoryTransaction, row: Omit<Reservation, 'status'>): Promise<Reservation | undefined> {
    const reservation = { ...row, status: 'RESERVED' as const };
    return (await this.insertNew(tx, reservation)) ? reservation : undefined;
  }

  /** Inserts a row that prevents a later reservation. Returns false and changes nothing if the order already has a row. */
  insertTombstone(tx: InventoryTransaction, orderId: string): Promise<boolean> {
    return this.insertNew(tx, { orderId, sku: null, quantity: 0, status: 'RETURNED' });
  }

  /** Locks the row until the transaction ends. */
  find(tx: InventoryTransaction, orderId: string): Promise<Reservation | undefined> {
    const found = tx.selectFrom('reservations').selectAll().where('orderId', '=', orderId);
    return found.forUpdate().executeTakeFirst();
  }

  async settle(tx: InventoryTransaction, { orderId }: Reservation, status: Reservation['status']): Promise<void> {
    await tx.updateTable('reservations').set({ status }).where('orderId', '=', orderId).execute();
  }

  private async insertNew(tx: InventoryTransaction, row: Reservation): Promise<boolean> {
    const insert = tx.insertInto('reservations').values(row).$call(this.database.skipExisting);
    return (await insert.executeTakeFirst()).numInsertedOrUpdatedRows === 1n;
  }
}
