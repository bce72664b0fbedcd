// A new order wants its stock.

import { Injectable } from '@nestjs/common';
import { OrderCreated, type OrderCreatedBody, receivedFrom } from 'demo-kit';
import { RocketMQContext, RocketMQListener } from 'nestjs-rocketmq';
import { Reservations } from '../stock/reservations.js';

@Injectable()
export class OrderCreatedListener {
  constructor(private readonly reservations: Reservations) {}

  @RocketMQListener(OrderCreated)
  async onOrderCreated(order: OrderCreatedBody, context: RocketMQContext): Promise<void> {
    await this.reservations.reserve(order, receivedFrom(context));
  }
}
