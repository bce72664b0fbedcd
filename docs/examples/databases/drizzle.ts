import { Global, Inject, Injectable, Module, type OnApplicationShutdown } from '@nestjs/common';
import { eq, sql } from 'drizzle-orm';
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import { outboxMessage, RocketMQListener, TransactionalSend } from 'nestjs-rocketmq';
import { drizzleDatabase, drizzleExecutor, Inbox, Outbox, TransactionLog } from 'nestjs-rocketmq/sql';
import { Pool } from 'pg';
import { orders } from './drizzle/schema.js';
import { DATABASE, MessagingModule, type Order, OrderPacked, OrderPlaced } from './messaging.js';

export const DRIZZLE = Symbol('DRIZZLE');

@Global()
@Module({
  providers: [
    { provide: Pool, useFactory: () => new Pool({ connectionString: process.env.DATABASE_URL }) },
    { provide: DRIZZLE, inject: [Pool], useFactory: (pool: Pool) => drizzle(pool) },
    { provide: DATABASE, inject: [DRIZZLE], useFactory: (db: NodePgDatabase) => drizzleDatabase(db, sql) },
  ],
  exports: [DRIZZLE, DATABASE],
})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(private readonly pool: Pool) {}

  onApplicationShutdown(): Promise<void> {
    return this.pool.end();
  }
}

@Injectable()
export class Orders {
  constructor(
    @Inject(DRIZZLE) private readonly db: NodePgDatabase,
    private readonly log: TransactionLog,
    private readonly inbox: Inbox,
    private readonly outbox: Outbox,
  ) {}

  @TransactionalSend(OrderPlaced, { message: (order: Order) => ({ body: order, keys: [order.id] }) })
  async place(order: Order): Promise<void> {
    await this.db.transaction(async (tx) => {
      await tx.insert(orders).values(order);
      await this.log.record(drizzleExecutor(tx, sql));
    });
  }

  @RocketMQListener(OrderPlaced)
  async pack(order: Order): Promise<void> {
    const message = await outboxMessage(OrderPacked, order, { keys: [order.id] });
    await this.db.transaction(async (drizzleTx) => {
      const tx = drizzleExecutor(drizzleTx, sql);
      await this.inbox.once(tx, `${order.id}:pack`, async () => {
        const parcels = sql`${orders.parcels} + 1`;
        await drizzleTx.update(orders).set({ parcels }).where(eq(orders.id, order.id));
        await this.outbox.add(tx, message);
      });
    });
  }
}

@Module({ imports: [DatabaseModule, MessagingModule], providers: [Orders] })
export class OrdersModule {}
