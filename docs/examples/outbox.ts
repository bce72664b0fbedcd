import { PGlite } from '@electric-sql/pglite';
import { Injectable, Module } from '@nestjs/common';
import { defineTopic, outboxMessage, RocketMQListener, RocketMQModule, RocketMQProducer } from 'nestjs-rocketmq';
import { Inbox, Outbox, OutboxRelay, SqlCleanup, schemaSql } from 'nestjs-rocketmq/sql';

export const ParcelMoved = defineTopic<{ parcel: string; step: number; place: string }>('parcel-moved', {
  type: 'fifo',
});

@Injectable()
export class Parcels {
  constructor(
    private readonly database: PGlite,
    private readonly outbox: Outbox,
    private readonly relay: OutboxRelay,
  ) {}

  async move(parcel: string, step: number, place: string): Promise<void> {
    await this.database.transaction(async (tx) => {
      await tx.query('INSERT INTO moves VALUES ($1, $2, $3)', [parcel, step, place]);
      // In the same transaction: the message is stored if and only if the move is.
      const body = { parcel, step, place };
      await this.outbox.add(tx, await outboxMessage(ParcelMoved, body, { keys: [parcel], messageGroup: parcel }));
    });
    // Optional: saves some milliseconds. The relay polls anyway.
    this.relay.wake();
  }
}

@Injectable()
export class Tracking {
  constructor(
    private readonly database: PGlite,
    private readonly inbox: Inbox,
  ) {}

  @RocketMQListener(ParcelMoved)
  async onMoved({ parcel, step, place }: { parcel: string; step: number; place: string }): Promise<void> {
    await this.database.transaction((tx) =>
      // A business key: it stays the same, no matter how often and by whom the step is sent.
      this.inbox.once(tx, `${parcel}:${step}`, () =>
        tx.query(
          `INSERT INTO tracking VALUES ($1, 1, $2)
             ON CONFLICT (parcel) DO UPDATE SET stations = tracking.stations + 1, place = excluded.place`,
          [parcel, place],
        ),
      ),
    );
  }
}

const inbox = new Inbox();
const TABLES = `${schemaSql()}
  CREATE TABLE IF NOT EXISTS moves (parcel text, step int, place text, PRIMARY KEY (parcel, step));
  CREATE TABLE IF NOT EXISTS tracking (parcel text PRIMARY KEY, stations int, place text);`;

@Module({
  providers: [
    Outbox,
    { provide: Inbox, useValue: inbox },
    {
      provide: PGlite,
      useFactory: async () => {
        const database = await PGlite.create();
        await database.exec(TABLES);
        return database;
      },
    },
    {
      provide: OutboxRelay,
      inject: [PGlite, Outbox, RocketMQProducer],
      // Nest starts the relay when the application is up, and stops it before the producer closes.
      useFactory: (database: PGlite, outbox: Outbox, producer: RocketMQProducer) =>
        new OutboxRelay({ outbox, database, send: (message, options) => producer.send(message, options) }),
    },
    {
      provide: SqlCleanup,
      inject: [PGlite, Outbox],
      useFactory: (database: PGlite, outbox: Outbox) => new SqlCleanup({ database, tables: [outbox, inbox] }),
    },
  ],
  exports: [PGlite, Outbox, Inbox, OutboxRelay],
})
export class DataSafetyModule {}

@Module({
  imports: [
    DataSafetyModule,
    RocketMQModule.forRootAsync({
      useFactory: () => ({
        endpoints: process.env.ROCKETMQ_ENDPOINTS ?? 'embedded:',
        consumerGroup: 'tracking',
        // Fails at startup if keys would be deleted while a listener can still get redeliveries.
        inbox,
      }),
    }),
  ],
  providers: [Parcels, Tracking],
})
export class ParcelModule {}
