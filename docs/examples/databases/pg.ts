import { Global, Injectable, Module, type OnApplicationShutdown } from '@nestjs/common';
import { outboxMessage, RocketMQListener, TransactionalSend } from 'nestjs-rocketmq';
import { Inbox, Outbox, poolDatabase, TransactionLog } from 'nestjs-rocketmq/sql';
import { Pool } from 'pg';
import { DATABASE, MessagingModule, type Order, OrderPacked, OrderPlaced } from './messaging.js';

@Global()
@Module({
  providers: [
    { provide: Pool, useFactory: () => new Pool({ connectionString: process.env.DATABASE_URL }) },
    { provide: DATABASE, inject: [Pool], useFactory: (pool: Pool) => poolDatabase(pool) },
  ],
  exports: [Pool, DATABASE],
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
    private readonly pool: Pool,
    private readonly log: TransactionLog,
    private readonly inbox: Inbox,
    private readonly outbox: Outbox,
  ) {}

  @TransactionalSend(OrderPlaced, { message: (order: Order) => ({ body: order, keys: [order.id] }) })
  async place(order: Order): Promise<void> {
    await poolDatabase(this.pool).transaction(async (tx) => {
      await tx.query('INSERT INTO orders VALUES ($1, $2)', [order.id, order.article]);
      await this.log.record(tx);
    });
  }

  @RocketMQListener(OrderPlaced)
  async pack(order: Order): Promise<void> {
    const message = await outboxMessage(OrderPacked, order, { keys: [order.id] });
    await poolDatabase(this.pool).transaction((tx) =>
      this.inbox.once(tx, `${order.id}:pack`, async () => {
        await tx.query('UPDATE orders SET parcels = parcels + 1 WHERE id = $1', [order.id]);
        await this.outbox.add(tx, message);
      }),
    );
  }
}

@Module({ imports: [DatabaseModule, MessagingModule], providers: [Orders] })
export class OrdersModule {}
