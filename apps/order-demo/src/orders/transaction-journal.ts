// Records in the time line of an order how the transactions of its messages ended.

import { Injectable, Logger } from '@nestjs/common';
import type { TransactionEvents } from 'nestjs-rocketmq';
import { OrderStore } from './order-store.js';

@Injectable()
export class TransactionJournal implements TransactionEvents {
  private readonly logger = new Logger(TransactionJournal.name);

  constructor(private readonly orders: OrderStore) {}

  onEnded(...[{ topic, messageId }, resolution, by]: Parameters<TransactionEvents['onEnded']>): void {
    // The answer to a check is already recorded.
    if (by === 'client') this.note(messageId, `${topic}: ${resolution === 'commit' ? 'committed' : 'rolled back'}`);
  }

  onLeftToCheck(...[{ topic, messageId }, resolution]: Parameters<TransactionEvents['onLeftToCheck']>): void {
    this.note(messageId, `${topic}: the ${resolution} may be lost: left to the check`);
  }

  onChecked(...[{ topic, messageId }, resolution]: Parameters<TransactionEvents['onChecked']>): void {
    this.note(messageId, `${topic}: check answered: ${resolution}`);
  }

  /** For the time line only, so nothing awaits it. A message that was rolled back has no order. */
  private note(messageId: string, what: string): void {
    const warn = (error: unknown): void => this.logger.warn(`not in the time line: ${String(error)}`, { messageId });
    this.orders.noteOfMessage(messageId, what).catch(warn);
  }
}
