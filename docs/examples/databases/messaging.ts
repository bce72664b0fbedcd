import { Global, Injectable, Logger, Module } from '@nestjs/common';
import { defineTopic, RocketMQListener, RocketMQModule, RocketMQProducer } from 'nestjs-rocketmq';
import { Inbox, Outbox, OutboxRelay, SqlCleanup, type SqlDatabase, TransactionLog } from 'nestjs-rocketmq/sql';

export interface Order {
  readonly id: string;
  readonly article: string;
}
export const OrderPlaced = defineTopic<Order>('order-placed', { type: 'transaction' });
export const OrderPacked = defineTopic<Order>('order-packed', { type: 'normal' });

/** The application's database as the kit sees it. The module of your library provides it. */
export const DATABASE = Symbol('DATABASE');

const inbox = new Inbox();

@Injectable()
export class Notices {
  private readonly logger = new Logger(Notices.name);

  @RocketMQListener(OrderPacked)
  onPacked({ id, article }: Order): void {
    this.logger.log(`Order ${id} is packed: ${article}`);
  }
}

@Global()
@Module({
  imports: [
    RocketMQModule.forRootAsync({
      inject: [TransactionLog],
      useFactory: (transactionLog: TransactionLog) => ({
        endpoints: process.env.ROCKETMQ_ENDPOINTS ?? 'embedded:',
        consumerGroup: 'orders',
        transactionLog,
        inbox,
      }),
    }),
  ],
  providers: [
    Notices,
    Outbox,
    { provide: Inbox, useValue: inbox },
    {
      provide: TransactionLog,
      inject: [DATABASE],
      useFactory: (database: SqlDatabase) => new TransactionLog({ database }),
    },
    {
      provide: OutboxRelay,
      inject: [DATABASE, Outbox, RocketMQProducer],
      useFactory: (database: SqlDatabase, outbox: Outbox, producer: RocketMQProducer) =>
        new OutboxRelay({ outbox, database, send: (message, options) => producer.send(message, options) }),
    },
    {
      provide: SqlCleanup,
      inject: [DATABASE, TransactionLog, Outbox],
      useFactory: (database: SqlDatabase, log: TransactionLog, outbox: Outbox) =>
        new SqlCleanup({ database, tables: [log, inbox, outbox] }),
    },
  ],
  exports: [TransactionLog, Inbox, Outbox],
})
export class MessagingModule {}
