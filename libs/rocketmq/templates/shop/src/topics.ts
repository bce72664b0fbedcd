// The messages between the services, which both import.

import { defineTopic } from 'nestjs-rocketmq';

export interface OrderEvent {
  kind: 'placed' | 'canceled';
  orderId: string;
  item: string;
}

/** Ordered: the events of one order are handled one after another. */
export const OrderEvents = defineTopic<OrderEvent>('order-events', {
  type: 'fifo',
});

/** Sent when an order is placed, and delivered when it must be paid. */
export const PaymentDue = defineTopic<{ orderId: string }>('payment-due', {
  type: 'delay',
});

export const StockAnswers = defineTopic<{ orderId: string; hasItem: boolean }>(
  'stock-answers',
  { type: 'normal' },
);
