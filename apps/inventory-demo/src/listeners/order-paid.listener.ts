// A paid order takes its stock for good.

import { Injectable } from '@nestjs/common';
import { OrderPaid, type OrderReference, receivedFrom } from 'demo-kit';
import { RocketMQContext, RocketMQListener } from 'nestjs-rocketmq';
import { Reservations } from '../stock/reservations.js';

@Injectable()
export class OrderPaidListener {
  constructor(private readonly reservations: Reservations) {}

  @RocketMQListener(OrderPaid)
  async onOrderPaid({ orderId }: OrderReference, context: RocketMQContext): Promise<void> {
    await this.reservations.sell(orderId, receivedFrom(context));
  }
}
