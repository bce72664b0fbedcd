// How transactions ended that did not end in one go, in the histories of their orders and in the log.

import { Inject, Injectable, Logger } from '@nestjs/common';
import { transactionReport } from 'demo-kit';
import type { TransactionEvents } from 'nestjs-rocketmq';
import { ORDER_DATABASE, type OrderDatabase } from '../database/order-database.js';
import { OrderStore } from './order-store.js';

type Told = Parameters<TransactionEvents['onChecked']>[0];

@Injectable()
export class TransactionJournal implements TransactionEvents {
  private readonly logger = new Logger(TransactionJournal.name);
  private readonly report = transactionReport();

  constructor(
    @Inject(ORDER_DATABASE) private readonly database: OrderDatabase,
    private readonly orders: OrderStore,
  ) {}

  onLeftToCheck(...told: Parameters<TransactionEvents['onLeftToCheck']>): void {
    this.report.onLeftToCheck(...told);
    this.note(told[0], `the ${told[1]} may be lost: left to the check`);
  }

  onChecked(...told: Parameters<TransactionEvents['onChecked']>): void {
    this.report.onChecked(...told);
    this.note(told[0], `check answered: ${told[1]}`);
  }

  /** Only for the time line: nothing waits for it, and a message that was rolled back has no order. */
  private note({ topic, messageId }: Told, what: string): void {
    const write = async (): Promise<void> => {
      const order = await this.orders.ofMessage(messageId);
      if (order === undefined) return;
      await this.database.transaction((tx) => this.orders.note(tx, order, { what: `${topic}: ${what}`, messageId }));
    };
    write().catch((error) => this.logger.warn(`not in the time line: ${String(error)}`));
  }
}
