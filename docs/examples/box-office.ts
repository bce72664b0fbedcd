import { PGlite } from '@electric-sql/pglite';
import { type DynamicModule, Injectable, Module } from '@nestjs/common';
import {
  defineTopic,
  RocketMQListener,
  RocketMQModule,
  type RocketMQModuleOptions,
  TransactionalSend,
} from 'nestjs-rocketmq';
import { schemaSql, TransactionLog } from 'nestjs-rocketmq/sql';

export const TicketSold = defineTopic<{ seat: string }>('ticket-sold', { type: 'transaction' });

@Injectable()
export class BoxOffice {
  readonly printed: string[] = [];

  constructor(
    private readonly database: PGlite,
    private readonly log: TransactionLog,
  ) {}

  @TransactionalSend(TicketSold, { message: (seat: string) => ({ body: { seat }, keys: [seat] }) })
  async sell(seat: string): Promise<void> {
    await this.database.transaction(async (tx) => {
      await tx.query('INSERT INTO ticket VALUES ($1)', [seat]);
      await this.log.record(tx);
    });
  }

  @RocketMQListener(TicketSold, { consumerGroup: 'printer' })
  async print({ seat }: { seat: string }): Promise<void> {
    this.printed.push(seat);
  }
}

@Module({})
export class BoxOfficeModule {
  /** @param folder of the database, which is kept when this process dies */
  static async open(folder: string, options: RocketMQModuleOptions): Promise<DynamicModule> {
    const database = await PGlite.create(folder);
    await database.exec(`${schemaSql()}; CREATE TABLE IF NOT EXISTS ticket (seat text PRIMARY KEY)`);
    const transactionLog = new TransactionLog({ database });
    return {
      module: BoxOfficeModule,
      imports: [RocketMQModule.forRoot({ consumerGroup: 'box-office', transactionLog, ...options })],
      providers: [
        BoxOffice,
        { provide: PGlite, useValue: database },
        { provide: TransactionLog, useValue: transactionLog },
      ],
    };
  }
}
