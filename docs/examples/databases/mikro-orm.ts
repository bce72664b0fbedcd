import { Entity, PrimaryKey, Property } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { defineConfig, MikroORM } from '@mikro-orm/postgresql';
import { Global, Injectable, Module, type OnApplicationShutdown } from '@nestjs/common';
import { outboxMessage, RocketMQListener, TransactionalSend } from 'nestjs-rocketmq';
import { Inbox, mikroOrmDatabase, mikroOrmExecutor, Outbox, TransactionLog } from 'nestjs-rocketmq/sql';
import { DATABASE, MessagingModule, type Order, OrderPacked, OrderPlaced } from './messaging.js';
import { Migration20251124120000 } from './migrations/mikro-orm.js';

@Entity({ tableName: 'orders' })
export class OrderRow {
  @PrimaryKey({ type: 'string', length: 36 }) id!: string;
  @Property({ type: 'string' }) article!: string;
  @Property({ type: 'integer' }) parcels = 0;
}

/** Also for the command line, as mikro-orm.config.ts. */
export const ormOptions = defineConfig({
  clientUrl: process.env.DATABASE_URL,
  entities: [OrderRow],
  extensions: [Migrator],
  migrations: { migrationsList: [{ name: 'Migration20251124120000', class: Migration20251124120000 }] },
  // Otherwise schema:update and migration:create would drop these tables.
  schemaGenerator: { skipTables: [/^rocketmq_/] },
});

@Global()
@Module({
  providers: [
    { provide: MikroORM, useFactory: () => MikroORM.init(ormOptions) },
    { provide: DATABASE, inject: [MikroORM], useFactory: (orm: MikroORM) => mikroOrmDatabase(orm.em) },
  ],
  exports: [MikroORM, DATABASE],
})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(private readonly orm: MikroORM) {}

  onApplicationShutdown(): Promise<void> {
    return this.orm.close();
  }
}

@Injectable()
export class Orders {
  constructor(
    private readonly orm: MikroORM,
    private readonly log: TransactionLog,
    private readonly inbox: Inbox,
    private readonly outbox: Outbox,
  ) {}

  @TransactionalSend(OrderPlaced, { message: (order: Order) => ({ body: order, keys: [order.id] }) })
  async place(order: Order): Promise<void> {
    await this.orm.em.fork().transactional(async (em) => {
      em.create(OrderRow, { ...order, parcels: 0 });
      await this.log.record(mikroOrmExecutor(em));
    });
  }

  @RocketMQListener(OrderPlaced)
  async pack(order: Order): Promise<void> {
    const message = await outboxMessage(OrderPacked, order, { keys: [order.id] });
    await this.orm.em.fork().transactional(async (em) => {
      const tx = mikroOrmExecutor(em);
      await this.inbox.once(tx, `${order.id}:pack`, async () => {
        const row = await em.findOneOrFail(OrderRow, order.id);
        row.parcels += 1;
        await this.outbox.add(tx, message);
      });
    });
  }
}

@Module({ imports: [DatabaseModule, MessagingModule], providers: [Orders] })
export class OrdersModule {}
