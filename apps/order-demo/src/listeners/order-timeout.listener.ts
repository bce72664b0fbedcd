// The end of an order's time to pay. An order that was paid or rejected meanwhile stays as it is.

import { Injectable } from '@nestjs/common';
import { type OrderReference, OrderTimeout, receivedFrom } from 'demo-kit';
import { RocketMQContext, RocketMQListener } from 'nestjs-rocketmq';
import { Cancellation } from '../orders/cancellation.js';

@Injectable()
export class OrderTimeoutListener {
  constructor(private readonly cancellation: Cancellation) {}

  @RocketMQListener(OrderTimeout)
  async onOrderTimeout({ orderId }: OrderReference, context: RocketMQContext): Promise<void> {
    const received = receivedFrom(context);
    await this.cancellation.cancel(orderId, {
      cancelled: { ...received, what: 'cancelled: not paid in time' },
      refused: { ...received, what: 'time-out came too late' },
    });
  }
}
