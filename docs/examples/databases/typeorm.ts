import { Global, Injectable, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { outboxMessage, RocketMQListener, TransactionalSend } from 'nestjs-rocketmq';
import { Inbox, Outbox, TransactionLog, typeormDatabase, typeormExecutor } from 'nestjs-rocketmq/sql';
import { Column, DataSource, type DataSourceOptions, Entity, PrimaryColumn } from 'typeorm';
import { DATABASE, MessagingModule, type Order, OrderPacked, OrderPlaced } from './messaging.js';
import { Orders1764000000000 } from './migrations/typeorm.js';

@Entity('orders')
export class OrderRow {
  @PrimaryColumn({ type: 'varchar', length: 36 }) id!: string;
  @Column({ type: 'varchar' }) article!: string;
  @Column({ type: 'int', default: 0 }) parcels!: number;
}

const options: DataSourceOptions = {
  type: 'postgres',
  url: process.env.DATABASE_URL,
  entities: [OrderRow],
  migrations: [Orders1764000000000],
};

/** For the command line: npx typeorm migration:run -d dist/typeorm.js */
export const dataSource = new DataSource(options);

@Global()
@Module({
  imports: [TypeOrmModule.forRoot(options)],
  providers: [{ provide: DATABASE, inject: [DataSource], useFactory: (source: DataSource) => typeormDatabase(source) }],
  exports: [DATABASE],
})
export class DatabaseModule {}

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
