import { Injectable } from '@nestjs/common';
import {
  currentTransaction,
  defineTopic,
  TransactionalSend,
  type TransactionCheck,
  TransactionChecker,
} from 'nestjs-rocketmq';

export const OrderPaid = defineTopic<{ orderId: string }>('order-paid', { type: 'transaction' });

@Injectable()
export class Payment {
  /** Stands in for a database table: which transaction paid which order. */
  readonly payments = new Map<string, string>();

  // The method is the local transaction: the message is delivered if it returns, and never if it throws.
  @TransactionalSend(OrderPaid, { message: (orderId: string) => ({ body: { orderId }, keys: [orderId] }) })
  async pay(orderId: string): Promise<void> {
    if ([...this.payments.values()].includes(orderId)) throw new Error(`${orderId} is already paid`);
    this.payments.set(currentTransaction().transactionId, orderId);
  }

  // When the commit was lost or this process died in between, the server checks. `unknown` makes it check again later.
  @TransactionChecker(OrderPaid)
  async isPaid({ transactionId }: TransactionCheck): Promise<'commit' | 'unknown'> {
    return this.payments.has(transactionId) ? 'commit' : 'unknown';
  }
}
