import { Global, Injectable, Module, type OnApplicationShutdown } from '@nestjs/common';
import { type Generated, Kysely, PostgresDialect, sql } from 'kysely';
import { outboxMessage, RocketMQListener, TransactionalSend } from 'nestjs-rocketmq';
import { Inbox, kyselyDatabase, kyselyExecutor, Outbox, TransactionLog } from 'nestjs-rocketmq/sql';
import { Pool } from 'pg';
import { DATABASE, MessagingModule, type Order, OrderPacked, OrderPlaced } from './messaging.js';

interface Tables {
  orders: { id: string; article: string; parcels: Generated<number> };
}

@Global()
@Module({
  providers: [
    {
      provide: Kysely,
      useFactory: () => {
        const pool = new Pool({ connectionString: process.env.DATABASE_URL });
        return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
      },
    },
    { provide: DATABASE, inject: [Kysely], useFactory: (db: Kysely<Tables>) => kyselyDatabase(db, sql) },
  ],
  exports: [Kysely, DATABASE],
})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(private readonly db: Kysely<Tables>) {}

  onApplicationShutdown(): Promise<void> {
    return this.db.destroy();
  }
}

@Injectable()
export class Orders {
  constructor(
    private readonly db: Kysely<Tables>,
    private readonly log: TransactionLog,
    private readonly inbox: Inbox,
    private readonly outbox: Outbox,
  ) {}

  @TransactionalSend(OrderPlaced, { message: (order: Order) => ({ body: order, keys: [order.id] }) })
  async place(order: Order): Promise<void> {
    await this.db.transaction().execute(async (trx) => {
      await trx.insertInto('orders').values(order).execute();
      await this.log.record(kyselyExecutor(trx, sql));
    });
  }

  @RocketMQListener(OrderPlaced)
  async pack(order: Order): Promise<void> {
    const message = await outboxMessage(OrderPacked, order, { keys: [order.id] });
    await this.db.transaction().execute(async (trx) => {
      const tx = kyselyExecutor(trx, sql);
      await this.inbox.once(tx, `${order.id}:pack`, async () => {
        const parcels = sql<number>`parcels + 1`;
        await trx.updateTable('orders').set({ parcels }).where('id', '=', order.id).execute();
        await this.outbox.add(tx, message);
      });
    });
  }
}

@Module({ imports: [DatabaseModule, MessagingModule], providers: [Orders] })
export class OrdersModule {}
