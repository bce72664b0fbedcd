// order-demo's own listener on `order-created`: from here on the order's time to pay runs.

import { Injectable } from '@nestjs/common';
import { OrderCreated, type OrderCreatedBody, receivedFrom } from 'demo-kit';
import { RocketMQContext, RocketMQListener } from 'nestjs-rocketmq';
import { PaymentTimeout } from '../orders/payment-timeout.js';

@Injectable()
export class OrderCreatedListener {
  constructor(private readonly timeout: PaymentTimeout) {}

  @RocketMQListener(OrderCreated)
  async onOrderCreated(order: OrderCreatedBody, context: RocketMQContext): Promise<void> {
    await this.timeout.schedule(order, receivedFrom(context));
  }
}
