import { PGlite } from '@electric-sql/pglite';
import { Injectable, Module } from '@nestjs/common';
import { currentTransaction, defineTopic, RocketMQModule, TransactionalSend } from 'nestjs-rocketmq';
import { schemaSql, TransactionLog } from 'nestjs-rocketmq/sql';

export const SeatBooked = defineTopic<{ seat: string }>('seat-booked', { type: 'transaction' });

@Injectable()
export class Booking {
  constructor(
    private readonly database: PGlite,
    private readonly log: TransactionLog,
  ) {}

  @TransactionalSend(SeatBooked, { message: (seat: string) => ({ body: { seat }, keys: [seat] }) })
  async book(seat: string): Promise<boolean> {
    return this.database.transaction(async (tx) => {
      const { affectedRows } = await tx.query('INSERT INTO booking VALUES ($1) ON CONFLICT DO NOTHING', [seat]);
      if (affectedRows === 0) {
        // The seat is taken: end without a message and without an error.
        currentTransaction().rollback();
        return false;
      }
      // In the same database transaction as the booking. A transaction check reads this row.
      await this.log.record(tx);
      return true;
    });
  }
}

@Module({
  providers: [
    {
      provide: PGlite,
      useFactory: async () => {
        const database = await PGlite.create();
        await database.exec(`${schemaSql()}; CREATE TABLE IF NOT EXISTS booking (seat text PRIMARY KEY)`);
        return database;
      },
    },
    { provide: TransactionLog, inject: [PGlite], useFactory: (database: PGlite) => new TransactionLog({ database }) },
  ],
  exports: [PGlite, TransactionLog],
})
export class DatabaseModule {}

@Module({
  imports: [
    DatabaseModule,
    RocketMQModule.forRootAsync({
      imports: [DatabaseModule],
      inject: [TransactionLog],
      useFactory: (transactionLog: TransactionLog) => ({
        endpoints: process.env.ROCKETMQ_ENDPOINTS ?? 'embedded:',
        consumerGroup: 'booking',
        transactionLog,
      }),
    }),
  ],
  providers: [Booking],
})
export class BookingModule {}
