import type { PGlite } from '@electric-sql/pglite';
import { type Connection, currentLocalTransaction, Producer } from 'nestjs-rocketmq/client';
import type { TransactionLog } from 'nestjs-rocketmq/sql';

export const seatBooked = (seat: string) => ({ topic: 'seat-booked', keys: [seat], body: JSON.stringify({ seat }) });

/** Every instance of the service creates its producer like this, so that each of them can answer transaction checks. */
export function bookingProducer(connection: Connection, log: TransactionLog): Producer {
  return new Producer(connection, {
    // Who answers transaction checks, by topic. Transactions are possible on these topics only.
    transactionCheckers: { 'seat-booked': (check) => log.check(check) },
    // Only producers with this name answer checks of these half messages. Give each service a name of its own.
    transactionOwner: 'booking',
  });
}

/** @returns whether the seat was free */
export async function book(producer: Producer, database: PGlite, log: TransactionLog, seat: string): Promise<boolean> {
  return producer.transact({ message: seatBooked(seat) }, () =>
    database.transaction(async (tx) => {
      const { affectedRows } = await tx.query('INSERT INTO booking VALUES ($1) ON CONFLICT DO NOTHING', [seat]);
      if (affectedRows === 0) {
        // The seat is taken: end without a message and without an error.
        currentLocalTransaction().rollback();
        return false;
      }
      // In the same database transaction as the booking. A transaction check reads this row.
      await log.record(tx);
      return true;
    }),
  );
}
