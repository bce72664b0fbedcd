import type { PGlite } from '@electric-sql/pglite';
import { type Connection, currentTransaction, Producer, type TransactionChecker } from 'nestjs-rocketmq/client';
import type { TransactionLog } from 'nestjs-rocketmq/sql';

const seatBooked = (seat: string) => ({ topic: 'seat-booked', keys: [seat], body: JSON.stringify({ seat }) });

// #region producer
/** Every instance of the service creates its producer like this, so that any of them can answer a check. */
export function bookingProducer(connection: Connection, checker: TransactionChecker): Producer {
  return new Producer(connection, {
    // Transactions are possible on these topics only. With a TransactionLog: (check) => log.check(check).
    transactionCheckers: { 'seat-booked': checker },
    // Only producers with this name answer checks for these half messages. Give each service its own.
    transactionOwner: 'booking',
  });
}
// #endregion

// #region transact
/** @returns whether the seat was free */
export async function book(producer: Producer, database: PGlite, log: TransactionLog, seat: string): Promise<boolean> {
  return producer.transact({ message: seatBooked(seat) }, () =>
    database.transaction(async (tx) => {
      const { affectedRows } = await tx.query('INSERT INTO booking VALUES ($1) ON CONFLICT DO NOTHING', [seat]);
      if (affectedRows === 0) {
        // The seat is taken: end without a message and without an error.
        currentTransaction().rollback();
        return false;
      }
      // In the same database transaction as the booking. A transaction check reads this row.
      await log.record(tx);
      return true;
    }),
  );
}
// #endregion

// #region begin
export async function bookByHand(producer: Producer, database: PGlite, log: TransactionLog, seat: string) {
  const transaction = await producer.beginTransaction(seatBooked(seat));
  // If this throws, the transaction stays open and a check resolves it: the COMMIT may have succeeded nevertheless.
  await database.transaction(async (tx) => {
    await tx.query('INSERT INTO booking VALUES ($1)', [seat]);
    await log.record(tx, transaction);
  });
  return transaction.commit();
}
// #endregion

// #region checker
export interface Bookings {
  find(seat: string, signal: AbortSignal): Promise<'booked' | 'refused' | undefined>;
}

export const checkedBy =
  (bookings: Bookings): TransactionChecker =>
  async ({ message, signal }) => {
    const { seat } = JSON.parse(message.body.toString());
    const state = await bookings.find(seat, signal);
    if (state === 'booked') return 'commit';
    if (state === 'refused') return 'rollback';
    // Neither is stored: the booking may still commit.
    return 'unknown';
  };
// #endregion
