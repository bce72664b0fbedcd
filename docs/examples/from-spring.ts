import { Injectable } from '@nestjs/common';
import {
  currentTransaction,
  defineTopic,
  RocketMQListener,
  TransactionalSend,
  type TransactionCheck,
  TransactionChecker,
} from 'nestjs-rocketmq';

export const OrderConfirmed = defineTopic<{ orderId: string }>('order-confirmed', { type: 'transaction' });

@Injectable()
export class Confirmation {
  /** Stands in for a database table. */
  private readonly confirmed = new Map<string, string>();

  // executeLocalTransaction: returning is COMMIT. After an error, the checker decides; currentTransaction().rollback() is ROLLBACK.
  @TransactionalSend(OrderConfirmed, {
    message: (orderId: string) => ({ body: { orderId }, tag: 'eu', keys: [orderId] }),
  })
  async confirm(orderId: string): Promise<void> {
    if (orderId === 'canceled') throw new Error('nothing to confirm');
    this.confirmed.set(currentTransaction().transactionId, orderId);
  }

  // checkLocalTransaction. With a database, leave it out: the transaction log of `nestjs-rocketmq/sql` answers checks.
  @TransactionChecker(OrderConfirmed)
  async check({ transactionId, mayStillRun }: TransactionCheck): Promise<'commit' | 'rollback' | 'unknown'> {
    if (this.confirmed.has(transactionId)) return 'commit';
    return mayStillRun ? 'unknown' : 'rollback';
  }
}

@Injectable()
export class Shipping {
  readonly shipped: string[] = [];

  @RocketMQListener(OrderConfirmed, { consumerGroup: 'shipping', filter: 'eu' })
  async ship({ orderId }: { orderId: string }): Promise<void> {
    this.shipped.push(orderId);
  }
}
