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
  /** Stands for a table of the application's database: which transaction paid which order. */
  readonly payments = new Map<string, string>();

  // The method is the local transaction: the message becomes visible if it returns, and never if it fails.
  @TransactionalSend(OrderPaid, { message: (orderId: string) => ({ body: { orderId }, keys: [orderId] }) })
  async pay(orderId: string): Promise<void> {
    if ([...this.payments.values()].includes(orderId)) throw new Error(`${orderId} is already paid`);
    this.payments.set(currentTransaction().transactionId, orderId);
  }

  // When the answer got lost or this process died in between, the server asks. `unknown`: ask me again.
  @TransactionChecker(OrderPaid)
  async isPaid({ transactionId }: TransactionCheck): Promise<'commit' | 'unknown'> {
    return this.payments.has(transactionId) ? 'commit' : 'unknown';
  }
}
