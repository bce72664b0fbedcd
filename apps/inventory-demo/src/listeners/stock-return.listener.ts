// A cancelled order gives its stock back.

import { Injectable } from '@nestjs/common';
import { type OrderReference, receivedFrom, StockReturn } from 'demo-kit';
import { RocketMQContext, RocketMQListener } from 'nestjs-rocketmq';
import { Reservations } from '../stock/reservations.js';

@Injectable()
export class StockReturnListener {
  constructor(private readonly reservations: Reservations) {}

  @RocketMQListener(StockReturn)
  async onStockReturn({ orderId }: OrderReference, context: RocketMQContext): Promise<void> {
    await this.reservations.giveBack(orderId, receivedFrom(context));
  }
}
