import { Global, Injectable, Module, type OnApplicationShutdown } from '@nestjs/common';
import { outboxMessage, RocketMQListener, TransactionalSend } from 'nestjs-rocketmq';
import { Inbox, Outbox, TransactionLog, typeormDatabase, typeormExecutor } from 'nestjs-rocketmq/sql';
import { Column, DataSource, Entity, PrimaryColumn } from 'typeorm';
import { DATABASE, MessagingModule, type Order, OrderPacked, OrderPlaced } from './messaging.js';
import { Orders1764000000000 } from './migrations/typeorm.js';

@Entity('orders')
export class OrderRow {
  @PrimaryColumn({ type: 'varchar', length: 36 }) id!: string;
  @Column({ type: 'varchar' }) article!: string;
  @Column({ type: 'int', default: 0 }) parcels!: number;
}

/** Also for the command line: npx typeorm migration:run -d dist/typeorm.js */
export const dataSource = new DataSource({
  type: 'mariadb',
  url: process.env.DATABASE_URL,
  entities: [OrderRow],
  migrations: [Orders1764000000000],
});

@Global()
@Module({
  providers: [
    { provide: DataSource, useFactory: () => dataSource.initialize() },
    { provide: DATABASE, inject: [DataSource], useFactory: (source: DataSource) => typeormDatabase(source) },
  ],
  exports: [DataSource, DATABASE],
})
export class DatabaseModule implements OnApplicationShutdown {
  onApplicationShutdown(): Promise<void> {
    return dataSource.destroy();
  }
}

@Injectable()
export class Orders {
  constructor(
    private readonly database: DataSource,
    private readonly log: TransactionLog,
    private readonly inbox: Inbox,
    private readonly outbox: Outbox,
  ) {}

  @TransactionalSend(OrderPlaced, { message: (order: Order) => ({ body: order, keys: [order.id] }) })
  async place(order: Order): Promise<void> {
    await this.database.transaction(async (manager) => {
      await manager.insert(OrderRow, order);
      await this.log.record(typeormExecutor(manager));
    });
  }

  @RocketMQListener(OrderPlaced)
  async pack(order: Order): Promise<void> {
    const message = await outboxMessage(OrderPacked, order, { keys: [order.id] });
    await this.database.transaction(async (manager) => {
      const tx = typeormExecutor(manager);
      await this.inbox.once(tx, `${order.id}:pack`, async () => {
        await manager.increment(OrderRow, { id: order.id }, 'parcels', 1);
        await this.outbox.add(tx, message);
      });
    });
  }
}

@Module({ imports: [DatabaseModule, MessagingModule], providers: [Orders] })
export class OrdersModule {}
