import { Global, Injectable, Module, type OnApplicationShutdown } from '@nestjs/common';
import { ClsPluginTransactional, Transactional, TransactionHost } from '@nestjs-cls/transactional';
import { TransactionalAdapterTypeOrm } from '@nestjs-cls/transactional-adapter-typeorm';
import { ClsModule } from 'nestjs-cls';
import { outboxMessage, RocketMQListener, RocketMQModule, RocketMQProducer, TransactionalSend } from 'nestjs-rocketmq';
import {
  ClsTransactions,
  Inbox,
  Outbox,
  OutboxRelay,
  TransactionLog,
  typeormDatabase,
  typeormExecutor,
} from 'nestjs-rocketmq/sql';
import { Column, DataSource, Entity, PrimaryColumn } from 'typeorm';
import { DATABASE, type Order, OrderPacked, OrderPlaced } from './messaging.js';
import { Orders1764000000000 } from './migrations/typeorm.js';

@Entity('orders')
export class OrderRow {
  @PrimaryColumn({ type: 'varchar', length: 36 }) id!: string;
  @Column({ type: 'varchar' }) article!: string;
  @Column({ type: 'int', default: 0 }) parcels!: number;
}

export const dataSource = new DataSource({
  type: 'postgres',
  url: process.env.DATABASE_URL,
  entities: [OrderRow],
  migrations: [Orders1764000000000],
});

// One for each connection. Log, inbox and outbox find its transactions.
const transactions = new ClsTransactions({ host: TransactionHost, executor: typeormExecutor });

@Global()
@Module({
  providers: [
    { provide: DataSource, useFactory: () => dataSource.initialize() },
    { provide: DATABASE, inject: [DataSource], useFactory: (source: DataSource) => typeormDatabase(source) },
    { provide: Inbox, useValue: new Inbox({ transactions }) },
    { provide: Outbox, useValue: new Outbox({ transactions }) },
    {
      provide: TransactionLog,
      inject: [DataSource],
      useFactory: (source: DataSource) => new TransactionLog({ database: typeormDatabase(source), transactions }),
    },
  ],
  exports: [DataSource, DATABASE, Inbox, Outbox, TransactionLog],
})
export class DatabaseModule implements OnApplicationShutdown {
  onApplicationShutdown(): Promise<void> {
    return dataSource.destroy();
  }
}

@Injectable()
export class Orders {
  constructor(
    private readonly host: TransactionHost<TransactionalAdapterTypeOrm>,
    private readonly inbox: Inbox,
    private readonly outbox: Outbox,
  ) {}

  // @Transactional() goes below: the message is recorded in its transaction, and visible when that has committed.
  @TransactionalSend(OrderPlaced, { message: (order: Order) => ({ body: order, keys: [order.id] }) })
  @Transactional()
  async place(order: Order): Promise<void> {
    await this.host.tx.insert(OrderRow, order);
  }

  @RocketMQListener(OrderPlaced)
  @Transactional()
  async pack(order: Order): Promise<void> {
    await this.inbox.once(`${order.id}:pack`, async () => {
      await this.host.tx.increment(OrderRow, { id: order.id }, 'parcels', 1);
      await this.outbox.add(await outboxMessage(OrderPacked, order, { keys: [order.id] }));
    });
  }
}

@Module({
  imports: [
    DatabaseModule,
    ClsModule.forRoot({
      plugins: [
        new ClsPluginTransactional({
          imports: [DatabaseModule],
          adapter: transactions.adapter(new TransactionalAdapterTypeOrm({ dataSourceToken: DataSource })),
        }),
      ],
    }),
    RocketMQModule.forRootAsync({
      inject: [TransactionLog, Inbox],
      useFactory: (transactionLog: TransactionLog, inbox: Inbox) => ({
        endpoints: process.env.ROCKETMQ_ENDPOINTS ?? 'embedded:',
        consumerGroup: 'orders',
        transactionLog,
        inbox,
      }),
    }),
  ],
  providers: [
    Orders,
    {
      provide: OutboxRelay,
      inject: [DataSource, Outbox, RocketMQProducer],
      useFactory: (source: DataSource, outbox: Outbox, producer: RocketMQProducer) =>
        new OutboxRelay({
          outbox,
          database: typeormDatabase(source),
          send: (message, options) => producer.send(message, options),
        }),
    },
  ],
})
export class OrdersModule {}
