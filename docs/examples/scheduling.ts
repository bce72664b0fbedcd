import { PGlite } from '@electric-sql/pglite';
import { Injectable, Module, type OnApplicationBootstrap } from '@nestjs/common';
import {
  defineTopic,
  outboxMessage,
  type RocketMQContext,
  RocketMQListener,
  RocketMQModule,
  RocketMQProducer,
} from 'nestjs-rocketmq';
import {
  Inbox,
  Outbox,
  OutboxRelay,
  retryTransaction,
  SCHEDULE_TICK_PROPERTY,
  Schedule,
  SqlCleanup,
  schemaSql,
} from 'nestjs-rocketmq/sql';

export const TrialOver = defineTopic<{ customer: string }>('trial-over', { type: 'normal' });
export const ReportDue = defineTopic<{ kind: string }>('report-due', { type: 'normal' });

@Injectable()
export class Trials {
  constructor(
    private readonly database: PGlite,
    private readonly schedule: Schedule,
  ) {}

  /** Called again with another date, it moves the end of the trial. */
  async begin(customer: string, endsAt: Date): Promise<void> {
    const message = await outboxMessage(TrialOver, { customer });
    await this.database.transaction(async (tx) => {
      const text = 'INSERT INTO trials VALUES ($1, $2) ON CONFLICT (customer) DO UPDATE SET ends_at = excluded.ends_at';
      await tx.query(text, [customer, endsAt]);
      await this.schedule.set(tx, { key: `trial:${customer}`, message, deliverAt: endsAt });
    });
  }

  async buy(customer: string): Promise<void> {
    await this.database.transaction(async (tx) => {
      await tx.query(`UPDATE trials SET state = 'bought' WHERE customer = $1`, [customer]);
      await this.schedule.cancel(tx, `trial:${customer}`);
    });
  }

  @RocketMQListener(TrialOver)
  async end({ customer }: { customer: string }): Promise<void> {
    // The message may be on its way while the customer buys, or gets a longer trial, so the row decides.
    const text = `UPDATE trials SET state = 'over' WHERE customer = $1 AND state = 'running' AND ends_at <= $2`;
    await this.database.query(text, [customer, new Date()]);
  }
}

@Injectable()
export class Reports implements OnApplicationBootstrap {
  constructor(
    private readonly database: PGlite,
    private readonly schedule: Schedule,
    private readonly inbox: Inbox,
  ) {}

  /** In each instance, at each start: what is unchanged keeps its next tick. */
  async onApplicationBootstrap(): Promise<void> {
    const message = await outboxMessage(ReportDue, { kind: 'sales' });
    await retryTransaction(() =>
      this.database.transaction((tx) =>
        this.schedule.set(tx, { key: 'sales-report', message, cron: '0 3 * * *', timeZone: 'Europe/Berlin' }),
      ),
    );
  }

  @RocketMQListener(ReportDue)
  async write({ kind }: { kind: string }, { message }: RocketMQContext): Promise<void> {
    const tick = message.properties[SCHEDULE_TICK_PROPERTY] ?? message.messageId;
    await this.database.transaction((tx) =>
      this.inbox.once(tx, tick, () => tx.query('INSERT INTO reports VALUES ($1, $2)', [tick, kind])),
    );
  }
}

const inbox = new Inbox();
const TABLES = `${schemaSql()}
  CREATE TABLE trials (customer text PRIMARY KEY, ends_at timestamptz NOT NULL, state text NOT NULL DEFAULT 'running');
  CREATE TABLE reports (tick text PRIMARY KEY, kind text NOT NULL);`;

@Module({
  imports: [
    RocketMQModule.forRoot({
      endpoints: process.env.ROCKETMQ_ENDPOINTS ?? 'embedded:',
      consumerGroup: 'back-office',
      inbox,
    }),
  ],
  providers: [
    Trials,
    Reports,
    Outbox,
    Schedule,
    { provide: Inbox, useValue: inbox },
    {
      provide: PGlite,
      useFactory: async () => {
        const database = await PGlite.create();
        await database.exec(TABLES);
        return database;
      },
    },
    {
      provide: OutboxRelay,
      inject: [PGlite, Outbox, Schedule, RocketMQProducer],
      useFactory: (database: PGlite, outbox: Outbox, schedule: Schedule, producer: RocketMQProducer) =>
        // Without `schedule`, nothing that was scheduled is sent.
        new OutboxRelay({ outbox, schedule, database, send: (message, options) => producer.send(message, options) }),
    },
    {
      provide: SqlCleanup,
      inject: [PGlite, Outbox],
      useFactory: (database: PGlite, outbox: Outbox) => new SqlCleanup({ database, tables: [outbox, inbox] }),
    },
  ],
})
export class BackOfficeModule {}
