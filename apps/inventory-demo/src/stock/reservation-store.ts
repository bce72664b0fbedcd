// The reservations of orders: one row per order, whichever of its messages arrives first.

import { Injectable } from '@nestjs/common';
import { eq } from 'drizzle-orm';
import type { InventoryTransaction } from '../database/inventory-database.js';
import { reservations } from '../database/schema.js';

export type Reservation = typeof reservations.$inferSelect;

@Injectable()
export class ReservationStore {
  /** Returns undefined and changes nothing if the order already has a row: its return arrived first and left a tombstone. */
  async insert(tx: InventoryTransaction, row: Omit<Reservation, 'status'>): Promise<Reservation | undefined> {
    const fresh = { ...row, status: 'RESERVED' as const };
    return (await tx.insert(reservations).values(fresh).onConflictDoNothing().returning())[0];
  }

  /** Inserts a row that prevents a later reservation. Returns false and changes nothing if the order already has a row. */
  async insertTombstone(tx: InventoryTransaction, orderId: string): Promise<boolean> {
    const tombstone = { orderId, sku: null, quantity: 0, status: 'RETURNED' as const };
    return (await tx.insert(reservations).values(tombstone).onConflictDoNothing().returning()).length > 0;
  }

  /** Locks the row until the transaction ends. */
  async find(tx: InventoryTransaction, orderId: string): Promise<Reservation | undefined> {
    return (await tx.select().from(reservations).where(eq(reservations.orderId, orderId)).for('update'))[0];
  }

  async settle(tx: InventoryTransaction, { orderId }: Reservation, status: Reservation['status']): Promise<void> {
    await tx.update(reservations).set({ status }).where(eq(reservations.orderId, orderId));
  }
}
