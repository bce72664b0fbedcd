// A paid order takes its stock for good.

import { Injectable } from '@nestjs/common';
import { OrderPaid, type OrderReference } from 'demo-kit';
import { RocketMQListener } from 'nestjs-rocketmq';
import { Reservations } from '../stock/reservations.js';

@Injectable()
export class OrderPaidListener {
  constructor(private readonly reservations: Reservations) {}

  @RocketMQListener(OrderPaid)
  async onOrderPaid({ orderId }: OrderReference): Promise<void> {
    await this.reservations.sell(orderId);
  }
}
