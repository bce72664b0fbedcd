// A cancelled order gives its stock back.

import { Injectable } from '@nestjs/common';
import { type OrderReference, StockReturn } from 'demo-kit';
import { RocketMQListener } from 'nestjs-rocketmq';
import { Reservations } from '../stock/reservations.js';

@Injectable()
export class StockReturnListener {
  constructor(private readonly reservations: Reservations) {}

  @RocketMQListener(StockReturn)
  async onStockReturn({ orderId }: OrderReference): Promise<void> {
    await this.reservations.giveBack(orderId);
  }
}
