import { Global, Injectable, Module, type OnApplicationShutdown } from '@nestjs/common';
import { PrismaPg } from '@prisma/adapter-pg';
import { outboxMessage, RocketMQListener, TransactionalSend } from 'nestjs-rocketmq';
import { Inbox, Outbox, prismaDatabase, prismaExecutor, TransactionLog } from 'nestjs-rocketmq/sql';
import { PrismaClient } from './generated/client.js';
import { DATABASE, MessagingModule, type Order, OrderPacked, OrderPlaced } from './messaging.js';

@Global()
@Module({
  providers: [
    {
      provide: PrismaClient,
      useFactory: () => new PrismaClient({ adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL }) }),
    },
    { provide: DATABASE, inject: [PrismaClient], useFactory: (prisma: PrismaClient) => prismaDatabase(prisma) },
  ],
  exports: [PrismaClient, DATABASE],
})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(private readonly prisma: PrismaClient) {}

  onApplicationShutdown(): Promise<void> {
    return this.prisma.$disconnect();
  }
}

@Injectable()
export class Orders {
  constructor(
    private readonly prisma: PrismaClient,
    private readonly log: TransactionLog,
    private readonly inbox: Inbox,
    private readonly outbox: Outbox,
  ) {}

  @TransactionalSend(OrderPlaced, { message: (order: Order) => ({ body: order, keys: [order.id] }) })
  async place(order: Order): Promise<void> {
    await this.prisma.$transaction(async (prisma) => {
      await prisma.order.create({ data: order });
      await this.log.record(prismaExecutor(prisma));
    });
  }

  @RocketMQListener(OrderPlaced)
  async pack(order: Order): Promise<void> {
    const message = await outboxMessage(OrderPacked, order, { keys: [order.id] });
    await this.prisma.$transaction(async (prisma) => {
      const tx = prismaExecutor(prisma);
      await this.inbox.once(tx, `${order.id}:pack`, async () => {
        await prisma.order.update({ where: { id: order.id }, data: { parcels: { increment: 1 } } });
        await this.outbox.add(tx, message);
      });
    });
  }
}

@Module({ imports: [DatabaseModule, MessagingModule], providers: [Orders] })
export class OrdersModule {}
