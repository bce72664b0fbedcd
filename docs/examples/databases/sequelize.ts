import { Global, Injectable, Module, type OnApplicationShutdown } from '@nestjs/common';
import { outboxMessage, RocketMQListener, TransactionalSend } from 'nestjs-rocketmq';
import { Inbox, Outbox, sequelizeDatabase, sequelizeExecutor, TransactionLog } from 'nestjs-rocketmq/sql';
import { DataTypes, Sequelize } from 'sequelize';
import { DATABASE, MessagingModule, type Order, OrderPacked, OrderPlaced } from './messaging.js';

const columns = {
  id: { type: DataTypes.STRING(36), primaryKey: true },
  article: DataTypes.STRING,
  parcels: { type: DataTypes.INTEGER, defaultValue: 0 },
};

@Global()
@Module({
  providers: [
    {
      provide: Sequelize,
      useFactory: () => {
        const sequelize = new Sequelize(process.env.DATABASE_URL ?? '', { logging: false });
        sequelize.define('Order', columns, { tableName: 'orders', timestamps: false });
        return sequelize;
      },
    },
    { provide: DATABASE, inject: [Sequelize], useFactory: (sequelize: Sequelize) => sequelizeDatabase(sequelize) },
  ],
  exports: [Sequelize, DATABASE],
})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(private readonly sequelize: Sequelize) {}

  onApplicationShutdown(): Promise<void> {
    return this.sequelize.close();
  }
}

@Injectable()
export class Orders {
  constructor(
    private readonly sequelize: Sequelize,
    private readonly log: TransactionLog,
    private readonly inbox: Inbox,
    private readonly outbox: Outbox,
  ) {}

  @TransactionalSend(OrderPlaced, { message: (order: Order) => ({ body: order, keys: [order.id] }) })
  async place(order: Order): Promise<void> {
    await this.sequelize.transaction(async (transaction) => {
      await this.sequelize.model('Order').create({ ...order }, { transaction });
      await this.log.record(sequelizeExecutor(transaction));
    });
  }

  @RocketMQListener(OrderPlaced)
  async pack(order: Order): Promise<void> {
    const message = await outboxMessage(OrderPacked, order, { keys: [order.id] });
    await this.sequelize.transaction(async (transaction) => {
      const tx = sequelizeExecutor(transaction);
      await this.inbox.once(tx, `${order.id}:pack`, async () => {
        const where = { id: order.id };
        await this.sequelize.model('Order').increment('parcels', { where, transaction });
        await this.outbox.add(tx, message);
      });
    });
  }
}

@Module({ imports: [DatabaseModule, MessagingModule], providers: [Orders] })
export class OrdersModule {}
