// A new order wants its stock.

import { Injectable } from '@nestjs/common';
import { OrderCreated, type OrderCreatedBody } from 'demo-kit';
import { RocketMQListener } from 'nestjs-rocketmq';
import { Reservations } from '../stock/reservations.js';

@Injectable()
export class OrderCreatedListener {
  constructor(private readonly reservations: Reservations) {}

  @RocketMQListener(OrderCreated)
  async onOrderCreated(order: OrderCreatedBody): Promise<void> {
    await this.reservations.reserve(order);
  }
}
