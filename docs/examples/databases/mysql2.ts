import { Global, Inject, Injectable, Module, type OnApplicationShutdown } from '@nestjs/common';
import mysql, { type Pool } from 'mysql2/promise';
import { outboxMessage, RocketMQListener, TransactionalSend } from 'nestjs-rocketmq';
import { Inbox, mysql2Database, Outbox, TransactionLog } from 'nestjs-rocketmq/sql';
import { DATABASE, MessagingModule, type Order, OrderPacked, OrderPlaced } from './messaging.js';

export const POOL = Symbol('POOL');

@Global()
@Module({
  providers: [
    { provide: POOL, useFactory: () => mysql.createPool(process.env.DATABASE_URL ?? '') },
    { provide: DATABASE, inject: [POOL], useFactory: (pool: Pool) => mysql2Database(pool) },
  ],
  exports: [POOL, DATABASE],
})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(@Inject(POOL) private readonly pool: Pool) {}

  onApplicationShutdown(): Promise<void> {
    return this.pool.end();
  }
}

@Injectable()
export class Orders {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly log: TransactionLog,
    private readonly inbox: Inbox,
    private readonly outbox: Outbox,
  ) {}

  @TransactionalSend(OrderPlaced, { message: (order: Order) => ({ body: order, keys: [order.id] }) })
  async place(order: Order): Promise<void> {
    await mysql2Database(this.pool).transaction(async (tx) => {
      await tx.query('INSERT INTO orders (id, article) VALUES (?, ?)', [order.id, order.article]);
      await this.log.record(tx);
    });
  }

  @RocketMQListener(OrderPlaced)
  async pack(order: Order): Promise<void> {
    const message = await outboxMessage(OrderPacked, order, { keys: [order.id] });
    await mysql2Database(this.pool).transaction((tx) =>
      this.inbox.once(tx, `${order.id}:pack`, async () => {
        await tx.query('UPDATE orders SET parcels = parcels + 1 WHERE id = ?', [order.id]);
        await this.outbox.add(tx, message);
      }),
    );
  }
}

@Module({ imports: [DatabaseModule, MessagingModule], providers: [Orders] })
export class OrdersModule {}
