import { Global, Inject, Injectable, Module, type OnApplicationShutdown } from '@nestjs/common';
import knex, { type Knex } from 'knex';
import { outboxMessage, RocketMQListener, TransactionalSend } from 'nestjs-rocketmq';
import { Inbox, knexDatabase, knexExecutor, Outbox, TransactionLog } from 'nestjs-rocketmq/sql';
import { DATABASE, MessagingModule, type Order, OrderPacked, OrderPlaced } from './messaging.js';

export const KNEX = Symbol('KNEX');

@Global()
@Module({
  providers: [
    { provide: KNEX, useFactory: () => knex({ client: 'mysql2', connection: process.env.DATABASE_URL ?? '' }) },
    { provide: DATABASE, inject: [KNEX], useFactory: (db: Knex) => knexDatabase(db) },
  ],
  exports: [KNEX, DATABASE],
})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(@Inject(KNEX) private readonly db: Knex) {}

  onApplicationShutdown(): Promise<void> {
    return this.db.destroy();
  }
}

@Injectable()
export class Orders {
  constructor(
    @Inject(KNEX) private readonly db: Knex,
    private readonly log: TransactionLog,
    private readonly inbox: Inbox,
    private readonly outbox: Outbox,
  ) {}

  @TransactionalSend(OrderPlaced, { message: (order: Order) => ({ body: order, keys: [order.id] }) })
  async place(order: Order): Promise<void> {
    await this.db.transaction(async (trx) => {
      await trx('orders').insert(order);
      await this.log.record(knexExecutor(trx));
    });
  }

  @RocketMQListener(OrderPlaced)
  async pack(order: Order): Promise<void> {
    const message = await outboxMessage(OrderPacked, order, { keys: [order.id] });
    await this.db.transaction(async (trx) => {
      const tx = knexExecutor(trx);
      await this.inbox.once(tx, `${order.id}:pack`, async () => {
        await trx('orders').where({ id: order.id }).increment('parcels', 1);
        await this.outbox.add(tx, message);
      });
    });
  }
}

@Module({ imports: [DatabaseModule, MessagingModule], providers: [Orders] })
export class OrdersModule {}
