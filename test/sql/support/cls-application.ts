// An application whose orders are placed in transactions of `@nestjs-cls/transactional`.

import { Injectable, Module } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  currentTransaction,
  defineTopic,
  RocketMQModule,
  TransactionalSend,
  TransactionChecker,
} from 'nestjs-rocketmq';
import {
  type ClsAdapter,
  ClsTransactions,
  type ClsTransactionsOptions,
  Inbox,
  Outbox,
  Schedule,
  type SqlDatabase,
  TransactionLog,
} from 'nestjs-rocketmq/sql';
import type { TestBroker } from 'nestjs-rocketmq/testing';
import { silentLogger } from '../../../libs/rocketmq/src/support/logger.js';
import { ClsModule, ClsPluginTransactional, Propagation, Transactional, TransactionHost } from './cls-packages.js';

export interface ClsKind {
  /** A new adapter of the library, given the token of its connection. */
  adapter(token: symbol): ClsAdapter;
  connection(): object;
  readonly executor: ClsTransactionsOptions['executor'];
  port(): SqlDatabase;
  /** A second transaction would wait for the first one forever. Default: false. */
  readonly hasOneConnection?: boolean;
}

const CONNECTION = Symbol('connection');
export const Placed = defineTopic<{ id: string }>('orders', { type: 'transaction' });
const Checked = defineTopic<{ id: string }>('checked', { type: 'transaction' });
const message = (id: string) => ({ body: { id } });

@Injectable()
export class Orders {
  constructor(
    private readonly transactions: ClsTransactions,
    private readonly inbox: Inbox,
    private readonly outbox: Outbox,
    private readonly schedule: Schedule,
    private readonly log: TransactionLog,
  ) {}

  async insert(id: string): Promise<void> {
    await this.transactions.current()?.query(`INSERT INTO orders (id) VALUES ('${id}')`, []);
  }

  @TransactionalSend(Placed, { message })
  @Transactional()
  async place(id: string, act: () => unknown = () => undefined): Promise<string> {
    await this.insert(id);
    await act();
    return `placed ${id}`;
  }

  @TransactionalSend(Placed)
  @Transactional()
  async prepareLate(id: string): Promise<void> {
    await this.insert(id);
    await currentTransaction().prepare({ body: { id } });
  }

  /** Its database transaction is around it, or there is none. */
  @TransactionalSend(Placed, { message })
  async placeInside(id: string, act: (id: string) => unknown = () => undefined): Promise<void> {
    await this.insert(id);
    await act(id);
  }

  @Transactional()
  async around(work: () => Promise<unknown>): Promise<void> {
    await work();
  }

  @Transactional(Propagation.Nested)
  async nested(work: () => Promise<unknown>): Promise<void> {
    await work();
  }

  @Transactional(Propagation.RequiresNew)
  async separate(work: () => Promise<unknown>): Promise<void> {
    await work();
  }

  @Transactional(Propagation.NotSupported)
  async suspended(work: () => Promise<unknown>): Promise<void> {
    await work();
  }

  @TransactionalSend(Placed, { message })
  async inSteps(_id: string, ...steps: (() => Promise<unknown>)[]): Promise<void> {
    for (const step of steps) await step();
  }

  @TransactionalSend(Checked, { message })
  async withOwnChecker(_id: string): Promise<void> {}

  @TransactionChecker(Checked)
  async check(): Promise<'commit'> {
    return 'commit';
  }

  @Transactional()
  async once(key: string): Promise<boolean> {
    const { first } = await this.inbox.once(key, () => this.insert(key));
    return first;
  }

  @Transactional()
  async announce(fail: boolean): Promise<void> {
    await this.outbox.add({ topic: 'announced', body: 'x' });
    await this.remind();
    if (fail) throw new Error('no announcement');
  }

  addOutside(): Promise<string> {
    return this.outbox.add({ topic: 'announced', body: 'x' });
  }

  @Transactional()
  forget(): Promise<boolean> {
    return this.schedule.cancel('reminder');
  }

  remind(): Promise<void> {
    return this.schedule.set({ key: 'reminder', message: { topic: 'announced', body: 'x' }, delayMs: 1_000 });
  }

  recordHere(): Promise<void> {
    return this.log.record();
  }
}

/** @param isWrapped whether the adapter is that of the ClsTransactions */
export async function startOrders(kind: ClsKind, broker: TestBroker, isWrapped = true): Promise<TestingModule> {
  const transactions = new ClsTransactions({ host: TransactionHost, executor: kind.executor });
  const log = new TransactionLog({ database: kind.port(), transactions, clock: broker.clock });
  @Module({ providers: [{ provide: CONNECTION, useFactory: () => kind.connection() }], exports: [CONNECTION] })
  class DatabaseModule {}
  const adapter = kind.adapter(CONNECTION);
  const { endpoints, clock } = broker;
  const plugin = new ClsPluginTransactional({
    imports: [DatabaseModule],
    adapter: (isWrapped ? transactions.adapter(adapter) : adapter) as never,
  });
  const app = await Test.createTestingModule({
    imports: [
      ClsModule.forRoot({ plugins: [plugin] }),
      RocketMQModule.forRoot({ endpoints, clock, logger: silentLogger, consumerGroup: 'orders', transactionLog: log }),
    ],
    providers: [
      Orders,
      { provide: ClsTransactions, useValue: transactions },
      { provide: Inbox, useValue: new Inbox({ transactions }) },
      { provide: Outbox, useValue: new Outbox({ transactions }) },
      { provide: Schedule, useValue: new Schedule({ transactions }) },
      { provide: TransactionLog, useValue: log },
    ],
  }).compile();
  await app.init();
  return app;
}
